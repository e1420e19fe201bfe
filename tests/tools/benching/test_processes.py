"""Processes of a benchmark: pinned where that is possible, waited for, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.benching.processes import (
    WORKER,
    BenchFault,
    Cores,
    Process,
    cpu_seconds,
    living_workers,
    pinned,
    resident_bytes,
    workers_of,
)
from tools.ports import free_port
from tools.run import PROGRAM

SERVING = ("-m", "tools.benching.origin")


def test_a_command_is_pinned_to_a_core_or_left_alone():
    assert pinned(1, ["a", "b"]) == ["taskset", "-c", "1", "a", "b"]
    assert pinned(None, ["a", "b"]) == ["a", "b"]


def test_two_cores_are_told_apart_and_one_is_not_shared():
    cores = Cores.of_this_machine()
    if cores.server is None:
        assert cores == Cores(None, None)
        assert cores.said == "not pinned"
    else:
        assert cores.server != cores.load
        assert str(cores.server) in cores.said


@pytest.mark.slow
def test_a_process_is_ended_with_its_context(tmp_path: Path):
    port = free_port()
    with Process([sys.executable, *SERVING, str(port)], core=None, log=tmp_path / "log") as process:
        process.wait_for_answer(port)
        assert Path(f"/proc/{process.pid}").exists() or not Path("/proc/self").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.slow
def test_one_that_ends_says_why(tmp_path: Path):
    command = [sys.executable, "-c", "raise SystemExit('no such file')"]
    with (
        Process(command, core=None, log=tmp_path / "log") as process,
        pytest.raises(BenchFault, match="no such file"),
    ):
        process.wait_for_answer(free_port())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_cpu_time_is_read_of_who_lives():
    assert (cpu_seconds(os.getpid()) or 0) > 0
    assert cpu_seconds(2**22 + 1) is None


def test_the_origin_of_taskset_is_known():
    assert (Cores.of_this_machine().server is None) or shutil.which("taskset")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_resident_memory_is_read_of_who_lives():
    assert 0 < resident_bytes(os.getpid()) <= resident_bytes(os.getpid(), "VmHWM")
    with pytest.raises(BenchFault, match="VmRSS"):
        resident_bytes(2**22 + 1)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc here")
def test_who_has_no_worker_is_told():
    with pytest.raises(BenchFault, match="no worker"):
        workers_of(os.getpid())
    assert living_workers(os.getpid()) == []
    assert living_workers(2**22 + 1) == []


def test_a_worker_is_known_by_what_a_node_starts():
    assert PROGRAM.encode() == WORKER


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc here")
def test_workers_are_told_from_what_else_a_node_starts():
    """A shell in the node's place: what its children run is in their command lines, as a worker's is."""
    sleeping = "import sys; print(flush=True); sys.stdin.read()"
    asked = [f"'{sys.executable}' -c '{sleeping}' {said} 0<&3 &" for said in (PROGRAM, "other", PROGRAM)]
    line = ["sh", "-c", "exec 3<&0; " + " ".join(asked) + " wait"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdout is not None and node.stdin is not None
        for _ in range(3):
            node.stdout.readline()
        first, second = living_workers(node.pid)
        assert workers_of(node.pid) == [first, second]
        node.stdin.close()
    with pytest.raises(BenchFault, match="no worker"):
        workers_of(node.pid)
