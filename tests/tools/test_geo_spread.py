"""Clients of a log, led as DNS would lead them, and counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest

from edge.errors import ConfigFault
from tests.kit.routers import AMERICAN, ATLAS, GERMAN, JAPANESE, NETWORK, NOBODY
from tools.geo_spread import addressed, requests_of, run, spread
from tools.mmdb import mmdb_bytes

LINES = (
    f'{GERMAN} - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"',
    f'{GERMAN} - - [17/May/2015:10:05:04 +0000] "GET /b HTTP/1.1" 200 5 "-" "x"',
    f'shop.example [{AMERICAN}] "GET /"',
    "no address here",
    "",
)
CONFIG = """
[geo]
databases = "a.mmdb"
[[region]]
name = "world"
[[pop]]
name = "fra"
region = "world"
latitude = 50.1
longitude = 8.7
addresses = ["192.0.2.1"]
[[pop]]
name = "iad"
region = "world"
latitude = 38.9
longitude = -77.5
addresses = ["192.0.2.2"]
[[route]]
site = "shop"
hosts = ["www.example.org"]
"""


def packed(address: str) -> bytes:
    return ip_address(address).packed


def test_the_first_address_of_a_line_is_its_client():
    assert requests_of(LINES) == {packed(GERMAN): 2, packed(AMERICAN): 1}


def test_each_client_is_led_once_for_all_its_requests():
    requests = Counter({packed(GERMAN): 3, packed(AMERICAN): 1, packed(NOBODY): 2})
    found = spread(requests, "near", NETWORK, ATLAS)
    fra, iad = found.shares["fra"], found.shares["iad"]
    assert (fra.clients, fra.requests, iad.clients, iad.requests) == (2, 5, 1, 1)
    assert fra.countries == {"DE": 3, "?": 2}
    assert len(fra.kilometres) == 3
    assert found.unknown == 2
    assert sum(found.places.values()) == 4
    assert spread({packed(JAPANESE): 1}, "near", NETWORK, ATLAS).shares["par"].requests == 0


def written(folder: Path) -> tuple[Path, Path]:
    (folder / "a.mmdb").write_bytes(
        mmdb_bytes({"198.18.1.0/24": {"country_code": "DE"}, "198.18.3.0/24": {"country_code": "US"}})
    )
    (folder / "network.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "log.gz").write_bytes(gzip.compress("\n".join(LINES).encode()))
    return folder / "log.gz", folder / "network.toml"


def test_a_log_becomes_a_table_and_a_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    log, config = written(tmp_path)
    assert run(log, "shop", config, svg=tmp_path / "map.svg", to_json=False) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["POP", "CLIENTS", "REQUESTS", "SHARE"]
    assert [line[:4] for line in lines[1:]] == [
        ["fra", "1", "2", "66.7%"],
        ["iad", "1", "1", "33.3%"],
        ["all", "2", "3", "100%"],
    ]
    picture = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "fra 67%" in picture
    assert GERMAN not in picture


def test_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    log, config = written(tmp_path)
    assert run(log, "shop", config, svg=None, to_json=True) == 0
    assert json.loads(capsys.readouterr().out)["pops"]["iad"]["countries"] == {"US": 1}


def test_what_cannot_be_read_or_is_not_routed_is_told(tmp_path: Path):
    log, config = written(tmp_path)
    with pytest.raises(ConfigFault, match="routes no site 'other'; known: shop"):
        run(log, "other", config, svg=None, to_json=False)
    with pytest.raises(ConfigFault, match="name a log"):
        addressed(tmp_path / "missing")
    (tmp_path / "bad.gz").write_bytes(b"\x1f\x8bno")
    with pytest.raises(ConfigFault, match="cannot be read"):
        addressed(tmp_path / "bad.gz")
