"""What is asked of the machine before anything else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge.server.machine import cores


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
def test_only_the_cores_that_this_process_may_use_count():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
            "from edge.server.machine import cores; print(cores())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "1\n"
    assert cores() >= 1


def test_all_descriptors_that_the_system_allows_are_taken():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource as r; hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (64, hard));"
            "from edge.server.machine import raise_file_limit; raise_file_limit();"
            "print(r.getrlimit(r.RLIMIT_NOFILE) == (hard, hard))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "True\n"


def test_a_dns_server_is_without_the_rooms_of_purges():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, edge.server.dns_supervisor, edge.server.dns_worker_main;"
            "print([name for name in sys.modules if name.startswith(('edge.purge', 'edge.node'))])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"
