"""What a soak says of itself."""

from __future__ import annotations

from dataclasses import replace

from tools.soaking.checker import Checker
from tools.soaking.faults import Fault, Happened
from tools.soaking.pages import Page
from tools.soaking.purgers import Purges
from tools.soaking.report import told
from tools.soaking.soak import Outcome, Plan

PAGE = Page("paper", "news", 1)


def outcome() -> Outcome:
    checker, purges = Checker(15.0), Purges(asked=1, complete=1, seconds=[0.04])
    checker.accepted("o1", 1, {PAGE: 2}, 0.0)
    checker.applied(["edge-1"], {PAGE: 2})
    checker.answered(checker.asking("edge-1", PAGE, 0.0), 2, 0.0)
    happened = [Happened(Fault.LEADER_KILLED, "n1", 1.0, 2.0)]
    gaps = {Fault.LEADER_KILLED.value: [3.5]}
    return Outcome(Plan(60.0, 7), checker, purges, happened, [], [], 1, [2.0], gaps, asked_of_origin=1)


def test_what_held_is_told_with_its_numbers() -> None:
    said = told(outcome())
    assert said.endswith("\nHOLDS")
    assert "seed 7, 60 s, lease 15 s" in said
    assert "purges: 1 asked, 1 acknowledged, 0 given up" in said
    assert "next purge taken after 'leader of the log killed and started again': p50 3.500 s" in said
    assert "acknowledged purges that the log lost: 0 of 1\n" in said


def test_each_way_not_to_hold_is_told() -> None:
    stale = outcome()
    stale.checker.answered(stale.checker.asking("edge-1", PAGE, 3.0), 1, 3.0, "edge-1;hit")
    assert "edge-1 http://paper.example/news/1" in told(stale)
    damaged = outcome()
    damaged.checker.answered(damaged.checker.asking("edge-1", PAGE, 3.0), None, 3.0)
    nothing = replace(outcome(), checker=Checker(15.0))
    for one in (stale, damaged, nothing, replace(outcome(), lost=["o1"]), replace(outcome(), twice=["o1"])):
        assert told(one).endswith("\nDOES NOT HOLD")
