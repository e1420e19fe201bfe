"""A zone and its static records: what they become, and what they must not say."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from edge.settings.dns import RecordType, StaticRecord, Zone
from edge.settings.document import parse
from edge.settings.elements import array_of_tables
from edge.settings.problems import Problem
from edge.settings.zone_file import read_zone

HEAD = '[[zone]]\norigin = "Example.net"\nns = ["ns1.example.org"]\n'


def read(text: str) -> tuple[Zone, list[str]]:
    document = parse("n.toml", text.encode())
    problems: list[Problem] = []
    [zone] = [
        read_zone(document, table, base=base, env={}, changed=2**32 + 5, into=problems)
        for base, table in array_of_tables(document, document.table, "zone", into=problems)
    ]
    return zone, [str(problem) for problem in problems]


def record(name: str, kind: str, *values: str) -> str:
    return f'[[zone.record]]\nname = "{name}"\ntype = "{kind}"\nvalues = {list(values)}\n'


def test_names_of_records_are_made_absolute():
    text = (
        HEAD
        + record("@", "A", "192.0.2.1", "192.0.2.2")
        + record("*.www", "CNAME", "a.org.")
        + record("*", "TXT", "x")
    )
    zone, problems = read(text + 'ttl = "5m"')
    assert problems == []
    assert (zone.origin, zone.ns, zone.serial) == (b"example.net", (b"ns1.example.org",), 5)
    addresses = (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))
    assert zone.records[0] == StaticRecord(b"example.net", RecordType.A, addresses)
    assert zone.records[1] == StaticRecord(b"*.www.example.net", RecordType.CNAME, (b"a.org",))
    assert (zone.records[2].name, zone.records[2].ttl) == (b"*.example.net", 300.0)


@pytest.mark.parametrize(
    "text, said",
    [
        (
            record("a", "A", "192.0.2.1", "x"),
            'n.toml:7: zone[0].record[0].values[1]: "x" is no value of A; write it as in "192.0.2.1"',
        ),
        (
            record("a", "A", "192.0.2.1") + record("A", "A", "192.0.2.2"),
            'n.toml:8: zone[0].record[1]: "a.example.net" has A records above already; write all its values there',
        ),
        (
            record("@", "NS", "ns.org"),
            "n.toml:6: zone[0].record[0].type: a zone itself has no NS records of this kind; write them in ns of the zone",
        ),
        (
            record("@", "CNAME", "a.org"),
            "n.toml:6: zone[0].record[0].type: a zone itself has no CNAME records of this kind; write the addresses themselves, or a [[route]] for it (RFC 1912 s2.4)",
        ),
        (
            record("a", "CNAME", "a.org", "b.org"),
            "n.toml:7: zone[0].record[0].values: a name has one CNAME, not 2; write one (RFC 2181 s10.1)",
        ),
        (
            record("a", "CNAME", "a.org") + record("a", "TXT", "x"),
            'n.toml:8: zone[0].record[1]: "a.example.net" has a CNAME, and then it has nothing else (RFC 1034 s3.6.2); leave one of both out',
        ),
        (
            "[[zone.record]]\nname = 'a'",
            'n.toml:4: zone[0].record[0]: this record has no type; write type = "MX" in it',
        ),
    ],
)
def test_what_is_wrong_with_records_is_said(text: str, said: str):
    assert read(HEAD + text)[1][0] == said


def test_a_name_is_no_longer_than_fits_on_the_wire():
    inner = "a" * 60 + "." + "b" * 60 + "." + "c" * 60 + "."
    assert read(HEAD + record(inner + "d" * 58, "A", "192.0.2.1"))[1] == []
    assert read(HEAD + record(inner + "d" * 59, "A", "192.0.2.1"))[1] == [
        "n.toml:5: zone[0].record[0].name: with its zone it is 254 characters long; allowed: 253"
    ]


def test_a_name_server_within_the_zone_has_an_address_in_it():
    text = '[[zone]]\norigin = "example.net"\nns = ["ns1.example.org", "ns2.example.net"]\n'
    [said] = read(text)[1]
    assert said.startswith('n.toml:3: zone[0].ns[1]: "ns2.example.net" is within the zone and has no address')
    assert read(text + record("ns2", "AAAA", "2001:db8::1"))[1] == []


def test_a_name_server_is_written_as_a_whole_name():
    assert read('[[zone]]\norigin = "example.net"\nns = ["ns1"]\n')[1] == [
        'n.toml:3: zone[0].ns[0]: "ns1" is one label, and names are whole ones here; write "ns1.example.net", if that is meant'
    ]


def test_a_zone_file_may_have_the_addresses_of_name_servers():
    zone, problems = read(HEAD.replace("ns1.example.org", "ns1.example.net") + 'file = "zones/more.zone"\n')
    assert (str(zone.file), problems) == ("zones/more.zone", [])
