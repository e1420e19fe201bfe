"""What the machine gives a server: cores, and how many files may be open.

Owns: `cores` and `raise_file_limit`, which both supervisors ask first.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress


def cores() -> int:
    """Those that this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1) if affinity is None else len(affinity(0))


def raise_file_limit() -> None:
    """As many descriptors as the system lets us have; workers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit infinite and refuses infinity
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
