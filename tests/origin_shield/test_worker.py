"""The program of a worker that spares the origins is a worker's program."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest


@pytest.mark.slow
async def test_without_a_first_order_it_ends():
    ours, its = socket.socketpair()
    with its:
        command = (sys.executable, "-m", "origin_shield.worker", str(its.fileno()), "1/1")
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(its.fileno(),))
    ours.close()
    assert await asyncio.wait_for(process.wait(), 20) == 1
