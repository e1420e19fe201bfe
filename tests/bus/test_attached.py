"""A program that ends with who started it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bus import attached
from tests.kit.waiting import until

PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", sys.argv[1], str(os.getpid()), "/bin/sleep", "600"])
print(child.pid, flush=True)
sys.stdin.read()
"""


def _parent() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PARENT, attached.__file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.skipif(sys.platform != "linux", reason="no such signal there")
async def test_it_ends_when_its_parent_is_killed():
    parent = _parent()
    assert parent.stdout is not None and parent.stdin is not None
    child = int(parent.stdout.readline())

    async def is_sleep() -> bool:
        return b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]

    async def is_gone() -> bool:
        status = Path(f"/proc/{child}/stat")
        return not status.exists() or status.read_text(encoding="ascii").split()[2] == "Z"

    await until(is_sleep)
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    await until(is_gone)


def test_it_starts_nothing_for_a_parent_that_is_gone_already(tmp_path: Path):
    made = tmp_path / "made"
    command = [sys.executable, "-I", attached.__file__, "1", "/bin/touch", str(made)]
    assert subprocess.run(command, check=False).returncode == 1
    assert not made.exists()


def test_it_becomes_the_program_with_its_arguments():
    command = [sys.executable, "-I", attached.__file__, str(os.getpid()), "/bin/echo", "a b", "c"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "a b c\n"
