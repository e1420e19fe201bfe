"""Positions, countries, addresses of POPs."""

from __future__ import annotations

import tomllib
from ipaddress import IPv4Address, IPv6Address

import pytest

from edge.settings.geo_kinds import CheckPath, Country, Endpoint, Number, PlaceOf, PopAddresses
from edge.settings.kinds import Kind
from edge.settings.network import PlaceOverride
from edge.settings.node import ListenAddress
from edge.settings.problems import Refused


@pytest.mark.parametrize(
    "kind, value, read",
    [
        (Number(-90, 90), 50, 50.0),
        (Number(-90, 90), -90.0, -90.0),
        (Country(), "DE", "DE"),
        (Endpoint(), "10.0.0.1:80", ListenAddress("10.0.0.1", 80)),
        (Endpoint(), "[2001:db8::1]:80", ListenAddress("2001:db8::1", 80)),
        (PopAddresses(), "192.0.2.1", ((IPv4Address("192.0.2.1"),), ())),
        (
            PopAddresses(),
            ["2001:db8::1", "192.0.2.2", "192.0.2.1"],
            ((IPv4Address("192.0.2.2"), IPv4Address("192.0.2.1")), (IPv6Address("2001:db8::1"),)),
        ),
        (PlaceOf(), "pop:fra", PlaceOverride(pop="fra")),
        (PlaceOf(), "country:DE", PlaceOverride(country="DE")),
        (CheckPath(), "/readyz?a=1", b"/readyz?a=1"),
    ],
)
def test_a_value_is_read_and_written_back(kind: Kind[object], value: object, read: object):
    assert kind.read(value) == read
    assert kind.read(tomllib.loads(f"k = {kind.write(read)}")["k"]) == read


@pytest.mark.parametrize(
    "kind, value, instead",
    [
        (Number(-90, 90), 90.1, "allowed: -90 to 90"),
        (Number(-90, 90), float("nan"), "allowed: -90 to 90"),
        (Number(-90, 90), "50", "allowed: -90 to 90, without quotes"),
        (Number(0, 1), True, "allowed: 0 to 1, without quotes"),
        (Country(), "de", 'write "DE"; allowed: '),
        (Country(), "uk", 'write "GB"'),
        (Country(), "DEU", "allowed: two capital letters"),
        (Country(), "ß", "allowed: two capital letters"),
        (Country(), 49, "allowed: two capital letters"),
        (Endpoint(), "10.0.0.1:0", "allowed: host:port"),
        (Endpoint(), "0.0.0.0:80", "allowed: host:port"),
        (Endpoint(), "10.0.0.1", "allowed: host:port"),
        (PopAddresses(), ["224.0.0.1"], "allowed: an IP address"),
        (PopAddresses(), ["fe80::1%eth0"], "allowed: an IP address"),
        (PopAddresses(), ["192.0.2.1", "192.0.2.1"], "leave one of them out"),
        (PlaceOf(), "fra", 'allowed: "pop:NAME" or "country:DE"'),
        (PlaceOf(), "country:germany", "allowed: two capital letters"),
        (PlaceOf(), "pop:", "allowed: 1 to 64 letters"),
        (CheckPath(), "readyz", "allowed: a path"),
        (CheckPath(), "/a b", "allowed: a path"),
        (CheckPath(), "/a\r\nHost: b", "allowed: a path"),
    ],
)
def test_what_is_wrong_is_refused_with_what_to_write(kind: Kind[object], value: object, instead: str):
    with pytest.raises(Refused) as refusal:
        kind.read(value)
    assert refusal.value.faults[0].instead.startswith(instead)
