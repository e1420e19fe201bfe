"""The options of `perigee geo`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.errors import ConfigFault
from tools.geo_app import geo
from tools.mmdb import mmdb_bytes


def invoke(*arguments: str | Path) -> str:
    result = CliRunner().invoke(geo, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_an_address_is_looked_up(tmp_path: Path):
    (tmp_path / "a.mmdb").write_bytes(mmdb_bytes({"192.0.2.0/24": {"country_code": "DE"}}))
    [found] = json.loads(invoke("lookup", "192.0.2.1", "--database", tmp_path / "a.mmdb", "--json"))
    assert found["country"] == "DE"


def test_the_example_network_is_explained():
    config = Path(__file__).parent.parent.parent / "config" / "network.toml"
    found = json.loads(
        invoke("explain", "203.0.113.1", "--site", "shop", "--config", config, "--drain", "fra", "--json")
    )
    assert (found["chosen"], found["reasons"]) == ("iad", ["only", "draining"])


def test_a_licence_must_be_accepted_to_fetch(tmp_path: Path):
    with pytest.raises(ConfigFault, match="--accept-license"):
        invoke("fetch", "--dir", tmp_path)
