"""The files for PowerDNS; that it answers by them: tests/tools/test_geo_export.py."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import maxminddb
import pytest

from edge.settings.network import Network
from tests.tools.exporting.test_gdnsd import EVERYWHERE, NETWORK, RANGES
from tools.exporting.powerdns import files

MADE = files(NETWORK, RANGES, EVERYWHERE)


@pytest.fixture(scope="module")
def domain() -> dict[str, Any]:
    [found] = json.loads(MADE["zones.yaml"])["domains"]
    assert isinstance(found, dict)
    return found


def test_the_database_says_what_clients_get(tmp_path: Path):
    content = MADE["perigee.mmdb"]
    assert isinstance(content, bytes)
    (tmp_path / "a.mmdb").write_bytes(content)
    with maxminddb.open_database(tmp_path / "a.mmdb") as reader:
        assert reader.get(IPv4Address("10.1.2.3")) == {"city": {"names": {"en": "c1"}}}
        assert reader.get("9.1.2.3") is None


def test_a_routed_host_expands_to_the_name_of_the_clients_class(domain: dict[str, Any]):
    assert domain["services"] == {
        "www.example.net": ["%ci.s0.perigee-map.example.net"],
        "*.b.example.net": ["%ci.s1.perigee-map.example.net"],
    }


@pytest.mark.parametrize(
    "name, records",
    [
        ("unknown.s0", [{"aaaa": {"content": "2001:db8::1", "ttl": 30}}]),
        ("c1.s0", [{"a": {"content": "192.0.2.1", "ttl": 30}}, {"a": {"content": "192.0.2.2", "ttl": 30}}]),
        ("c1.s1", [{"cname": {"content": "sorry.org", "ttl": 30}}]),
    ],
)
def test_each_class_has_its_addresses(domain: dict[str, Any], name: str, records: list[object]):
    assert domain["records"][f"{name}.perigee-map.example.net"] == records


def test_a_network_of_which_nobody_knows_a_place_has_a_database_too(tmp_path: Path):
    content = files(NETWORK, RANGES[:1], EVERYWHERE)["perigee.mmdb"]
    assert isinstance(content, bytes)
    (tmp_path / "a.mmdb").write_bytes(content)
    with maxminddb.open_database(tmp_path / "a.mmdb") as reader:
        assert reader.get("192.0.2.0") == {"city": {"names": {"en": "unknown"}}}


def test_it_listens_where_the_network_says():
    config = MADE["pdns.conf"]
    assert isinstance(config, str)
    assert "local-address=127.0.0.1, ::1\nlocal-port=53\n" in config
    assert "local-address=127.0.0.1\nlocal-port=5300\n" in str(files(Network(), [], ())["pdns.conf"])
