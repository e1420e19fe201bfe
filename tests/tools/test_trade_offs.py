"""The measurements of docs/trade-offs.md: what they refuse, their settings, and their rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.rules import OnLogLoss, ShieldFallback
from edge.settings.load import load_node
from tools.replaying.access_lines import Recorded
from tools.replaying.network import TierNode
from tools.replaying.tally import Answered, Tally
from tools.trade_offs import Asked, halves, lines_of, main, sites_of


def test_a_log_goes_with_cold_and_with_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["cold"]) == 2
    assert main(["log-loss", str(tmp_path / "log")]) == 2
    assert main(["cold", str(tmp_path / "log")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_each_value_has_a_site_that_perigee_takes(tmp_path: Path):
    losses = sites_of("purge.on_log_loss", ["serve", "refuse"], 3000, 'log_loss_after = "5s"')
    node = TierNode("edge-1", tmp_path / "a", origin=3000, sites=losses)
    rules = load_node(node.file).sites.find(b"refuse.example")
    assert rules is not None
    assert (rules.purge.on_log_loss, rules.purge.log_loss_after) == (OnLogLoss.REFUSE, 5.0)
    fallbacks = TierNode(
        "edge-1", tmp_path / "b", origin=3000, sites=sites_of("shield.fallback", ["stale"], 3000)
    )
    rules = load_node(fallbacks.file).sites.find(b"stale.example")
    assert rules is not None
    assert rules.shield.fallback is ShieldFallback.STALE


def test_a_row_says_what_clients_got_and_what_it_cost():
    tally = Tally([3])
    for status, seconds in ((200, 0.001), (200, 0.002), (502, 0.5)):
        tally.answered(Answered(status, 0, seconds, seconds, ()))
    assert Asked(tally, 2).row("serve", "log away") == (
        "serve",
        "log away",
        "2 x 200, 1 x 502",
        "2",
        "2.0 ms",
        "500.0 ms",
    )
    assert Asked(Tally([0]), 0).row("a", "b")[4:] == ("-", "-")


def test_a_log_is_halved():
    lines = tuple(lines_of(0, 5))
    assert tuple(map(len, halves(Recorded(lines, {}, is_cut=False)))) == (2, 3)
