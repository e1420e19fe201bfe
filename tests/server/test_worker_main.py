"""The program of a worker ends when there is nobody to work for."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from edge.server.orders import Drain, encode


async def ended(line: bytes) -> int:
    """Its exit code when its supervisor says `line` and is gone."""
    ours, its = socket.socketpair()
    with its:
        command = (sys.executable, "-m", "edge.server.worker_main", str(its.fileno()), "1/1")
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(its.fileno(),))
    ours.sendall(line)
    ours.close()
    return await asyncio.wait_for(process.wait(), 20)


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"", encode(Drain(1.0))], ids=["nothing", "another order"])
async def test_without_a_first_order_it_ends(line: bytes):
    assert await ended(line) == 1
