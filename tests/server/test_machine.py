"""What is asked of the machine before anything else."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from edge.server.machine import cores, new_loop

OF_ONE_CORE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from edge.server.machine import cores
print(cores())
"""
WITH_FEW_FILES = """
import resource as r
hard = r.getrlimit(r.RLIMIT_NOFILE)[1]
r.setrlimit(r.RLIMIT_NOFILE, (64, hard))
from edge.server.machine import raise_file_limit
raise_file_limit()
print(r.getrlimit(r.RLIMIT_NOFILE) == (hard, hard))
"""
DNS_SERVER = """
import sys, edge.server.dns_supervisor, edge.server.dns_worker_main
print([name for name in sys.modules if name.startswith(("edge.purge", "edge.node"))])
"""


def said_by(program: str) -> str:
    """Of a process of its own, since all of this is for good."""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose its cores")
def test_only_the_cores_that_this_process_may_use_count():
    assert said_by(OF_ONE_CORE) == "1"
    assert cores() >= 1


def test_all_descriptors_that_the_system_allows_are_taken():
    assert said_by(WITH_FEW_FILES) == "True"


@pytest.mark.slow
def test_a_dns_server_is_without_the_rooms_of_purges():
    assert said_by(DNS_SERVER) == "[]"


def test_the_loop_is_uvloops_where_there_is_one():
    loop = new_loop()
    try:
        import uvloop
    except ImportError:
        assert isinstance(loop, asyncio.AbstractEventLoop)
    else:
        assert isinstance(loop, uvloop.Loop)
    loop.close()
