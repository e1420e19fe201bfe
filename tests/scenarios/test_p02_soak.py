"""The short form of `make soak-purge`: purges under load, while a worker, a node and the leader of the log are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.soaking.faults import Fault
from tools.soaking.report import told
from tools.soaking.soak import Plan, Soak

KILLED = {Fault.WORKER_KILLED: 1, Fault.NODE_KILLED: 1, Fault.LEADER_KILLED: 1}
SEED = 5


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_nothing_is_older_than_an_acknowledged_purge_and_no_purge_is_lost(tmp_path: Path) -> None:
    wanted = Plan(10.0, SEED, lease=5, faults=KILLED, purge_pause=0.05)
    outcome = await Soak(wanted, tmp_path).run()
    report = told(outcome)
    assert outcome.holds, report
    assert {each.fault for each in outcome.happened} == set(KILLED), report
    assert outcome.checker.taken > 20 and outcome.checker.counts.reads > 500, report
