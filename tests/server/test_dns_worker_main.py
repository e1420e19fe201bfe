"""The program of a DNS worker, without its supervisor."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.server.dns_command import DnsCommand
from edge.server.dns_supervisor import PROGRAM
from edge.server.orders import Start
from edge.server.worker_process import WorkerProcess

pytestmark = pytest.mark.slow


async def test_one_that_cannot_start_says_why(tmp_path: Path):
    said = DnsCommand(str(tmp_path / "network.toml"), str(tmp_path)).as_json()
    start = Start(0, 1, str(tmp_path), (), {**said, "secret": "00" * 16})
    worker = await WorkerProcess.spawn(start, [], since=0.0, program=PROGRAM)
    assert await worker.ended() == 1
    assert worker.detail is not None
    assert "settings.json" in worker.detail
