"""A program that ends with who started it: `python attached.py PARENT PROGRAM ARGUMENT...`.

Owns: `become`. Rules: it imports nothing of ours, so that it starts in a few milliseconds; on Linux the kernel sends SIGTERM
when the parent's thread ends (prctl(2) PR_SET_PDEATHSIG, which an exec keeps); a parent that is gone already is noticed.
Elsewhere it only starts the program, and whoever comes next finds it by the lock that it still holds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, program: str, arguments: list[str]) -> None:
    """Become that program. OSError when that does not work."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)
    os.execv(program, [program, *arguments])  # noqa: S606  # its path was looked up by edge.bus.embedded


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
