"""The trial says yes where tickets can be shared, in a process that ends with the answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge.tls.ticket_trial import is_shared

ROOT = Path(__file__).parent.parent.parent


def test_here_they_can_be_shared():
    """CPython 3.11 to 3.14 with OpenSSL 3: were this no longer so, workers would fall back, and this is how we would hear."""
    assert is_shared()


def test_the_program_says_it_by_its_exit_code():
    done = subprocess.run([sys.executable, "-m", "edge.tls.ticket_trial"], cwd=ROOT, check=False, timeout=50)
    assert done.returncode == 0
