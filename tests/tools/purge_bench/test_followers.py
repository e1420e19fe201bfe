"""Readers of the log in processes of their own."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tools.purge_bench.log import append_all, log, orders


@pytest.mark.slow
async def test_they_report_when_each_order_came_into_force_at_each(tmp_path: Path) -> None:
    async with log(tmp_path / "log", 1) as one:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tools.purge_bench.followers", str(tmp_path), "2"),
            stdin=PIPE,
            stdout=PIPE,
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(one.address.as_json()).encode() + b"\n")
        assert await process.stdout.readline() == b"ready\n"
        await append_all(5, orders("a"), one.log)
        said = json.loads((await process.communicate(b"5\n"))[0])
    assert said["applied"] == len(said["delays"]) == 10
    assert all(0.0 < delay < 10.0 for delay in said["delays"])
    assert said["cpu"] > 0.0
