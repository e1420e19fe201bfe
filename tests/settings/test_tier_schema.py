"""Secrets between nodes: long enough, never shown, and there where they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.load import load_node
from edge.settings.node import ListenAddress
from edge.settings.problems import Refused, SettingsFault
from edge.settings.tier_schema import SharedSecret

SITE = '[purge]\nlog = "off"\n[[site]]\nhostnames = ["*"]\norigins = ["http://127.0.0.1:1"]\n'


@pytest.mark.parametrize("value", ["", "short", "x" * 15, "x" * 513, "with\nnewline" * 3, 7, None])
def test_what_is_no_secret_is_refused_without_being_shown(value: object):
    with pytest.raises(Refused) as refused:
        SharedSecret().read(value)
    assert str(value) not in refused.value.faults[0].wrong or not value


def test_a_secret_comes_from_the_environment(tmp_path: Path):
    file = tmp_path / "edge.toml"
    file.write_text(
        '[tier]\nlisten = "10.0.0.1:8090"\nshields = "10.0.0.2:8090"\nsecrets = [{ env = "S" }]\n' + SITE
    )
    tier = load_node(file, env={"S": "x" * 32}).tier
    assert (tier.listen, tier.shields, tier.secrets) == (
        ListenAddress("10.0.0.1", 8090),
        (ListenAddress("10.0.0.2", 8090),),
        (b"x" * 32,),
    )
    assert "xxx" not in repr(tier)


@pytest.mark.parametrize("line", ['listen = "10.0.0.1:8090"', 'shields = ["10.0.0.2:8090"]'])
def test_nodes_without_a_secret_do_not_start(tmp_path: Path, line: str):
    file = tmp_path / "edge.toml"
    file.write_text(f"[tier]\n{line}\n{SITE}")
    with pytest.raises(SettingsFault) as fault:
        load_node(file, env={})
    (problem,) = fault.value.problems
    assert problem.setting == "tier.secrets"
