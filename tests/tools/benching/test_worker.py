"""The worker under a profiler: it serves as any other, and leaves a profile when it is ended."""

from __future__ import annotations

import os
import pstats
import signal
from pathlib import Path

import pytest

from tools.benching.client import fetch_all
from tools.benching.load import run_loop
from tools.benching.servers import Perigee, Place
from tools.benching.workloads import WORKLOADS
from tools.ports import free_port


@pytest.mark.slow
def test_it_serves_and_leaves_a_profile(tmp_path: Path):
    profile = tmp_path / "profile"
    place = Place(tmp_path, free_port(), None)
    running = Perigee(profile).start(WORKLOADS["hits"](), place)
    with running.process:
        os.kill(running.process.pid, signal.SIGUSR1)
        tally = run_loop(fetch_all(running.port, ["/1k/a"], connections=1))
        assert tally.failures == 1, "its origin does not exist: a 502"
    names = {name for _, _, name in pstats.Stats(str(profile)).stats}  # type: ignore[attr-defined]
    assert "data_received" in names
