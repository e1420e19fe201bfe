"""DNS names and the values of records, as people write them."""

from __future__ import annotations

import tomllib
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.dns import Certification, MailExchange, RecordType, RecordValue, Strings
from edge.settings.dns_kinds import CookieSecret, DnsName, RecordName, ValueOf, presented
from edge.settings.kinds import Kind
from edge.settings.problems import Refused


@pytest.mark.parametrize(
    "kind, text, read",
    [
        (DnsName(), "NS1.Example.net.", b"ns1.example.net"),
        (DnsName(), "_acme.example.net", b"_acme.example.net"),
        (RecordName(), "@", b"@"),
        (RecordName(), "*", b"*"),
        (RecordName(), "*.Static", b"*.static"),
        (RecordName(), "a.b", b"a.b"),
        (CookieSecret(), "00" * 16, bytes(16)),
    ],
)
def test_a_name_is_read_in_lower_case(kind: Kind[bytes], text: str, read: bytes):
    assert kind.read(text) == read
    assert kind.read(tomllib.loads(f"k = {kind.write(read)}")["k"]) == read


@pytest.mark.parametrize(
    "kind, value",
    [
        (DnsName(), "*.example.net"),
        (DnsName(), "a..b"),
        (DnsName(), "-a.org"),
        (DnsName(), "."),
        (DnsName(), ""),
        (DnsName(), "a" * 64 + ".org"),
        (DnsName(), "a." * 126 + "aaa"),
        (DnsName(), "exämple.net"),
        (DnsName(), 3),
        (RecordName(), "www.example.net."),
        (RecordName(), "a.*"),
        (RecordName(), "a b"),
        (CookieSecret(), "00" * 15),
        (CookieSecret(), 3),
    ],
)
def test_what_is_no_name_is_refused_with_what_to_write(kind: Kind[bytes], value: object):
    with pytest.raises(Refused) as refusal:
        kind.read(value)
    [fault] = refusal.value.faults
    assert "allowed: " in fault.instead


def test_a_secret_is_not_quoted_back():
    with pytest.raises(Refused) as refusal:
        CookieSecret().read("5ec4e7")
    assert "5ec4e7" not in str(refusal.value.faults)


VALUES: list[tuple[RecordType, str, RecordValue]] = [
    (RecordType.A, "192.0.2.1", IPv4Address("192.0.2.1")),
    (RecordType.AAAA, "2001:db8::1", IPv6Address("2001:db8::1")),
    (RecordType.CNAME, "www.example.org.", b"www.example.org"),
    (RecordType.NS, "ns1.example.org", b"ns1.example.org"),
    (RecordType.MX, "10 mail.example.org", MailExchange(10, b"mail.example.org")),
    (RecordType.MX, "0 .", MailExchange(0, b"")),
    (RecordType.TXT, "v=spf1 -all", Strings((b"v=spf1 -all",))),
    (RecordType.TXT, "x" * 300, Strings((b"x" * 255, b"x" * 45))),
    (RecordType.TXT, "", Strings((b"",))),
    (RecordType.CAA, '0 issue "ca.example"', Certification(0, b"issue", b"ca.example")),
    (RecordType.CAA, "128 ISSUE ca.example; a=b", Certification(128, b"issue", b"ca.example; a=b")),
]


@pytest.mark.parametrize("kind, text, read", VALUES)
def test_a_value_is_read_by_its_type_and_written_back(kind: RecordType, text: str, read: RecordValue):
    assert ValueOf(kind).read(text) == read
    assert ValueOf(kind).read(tomllib.loads(f"k = {ValueOf(kind).write(read)}")["k"]) == read


@pytest.mark.parametrize("kind, text, read", [row for row in VALUES if row[0] is not RecordType.TXT])
def test_another_reader_of_zone_files_understands_what_is_written(
    kind: RecordType, text: str, read: RecordValue
):
    said = presented(read)
    said = said + "." if kind in {RecordType.CNAME, RecordType.NS} or said == "10 mail.example.org" else said
    rdata: Any = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind.value), said)
    match read:
        case MailExchange():
            assert rdata.preference == read.preference
        case Certification():
            assert (rdata.flags, rdata.tag, rdata.value) == (read.flags, read.tag, read.value)
        case bytes():
            assert rdata.target.to_text() == read.decode() + "."
        case _:
            assert rdata.address == str(read)


@pytest.mark.parametrize(
    "kind, value",
    [
        (RecordType.A, "2001:db8::1"),
        (RecordType.A, "192.0.2.01"),
        (RecordType.AAAA, "fe80::1%eth0"),
        (RecordType.CNAME, "a b"),
        (RecordType.CNAME, "www"),
        (RecordType.NS, "ns1"),
        (RecordType.MX, "10 mail"),
        (RecordType.MX, "mail.example.org"),
        (RecordType.MX, "65536 mail.example.org"),
        (RecordType.MX, "10 *"),
        (RecordType.TXT, "é" * 2_001),
        (RecordType.TXT, "a\nb"),
        (RecordType.CAA, "256 issue x"),
        (RecordType.CAA, '0 issue "a"b"'),
        (RecordType.CAA, "0 issue"),
        (RecordType.A, 3),
    ],
)
def test_what_is_no_value_is_refused_with_an_example(kind: RecordType, value: object):
    with pytest.raises(Refused) as refusal:
        ValueOf(kind).read(value)
    [fault] = refusal.value.faults
    assert fault.instead.startswith("write it as in ")


@given(st.sampled_from(RecordType), st.text(max_size=60))
def test_no_text_raises_anything_but_a_refusal(kind: RecordType, text: str):
    try:
        read = ValueOf(kind).read(text)
    except Refused:
        return
    assert ValueOf(kind).read(presented(read)) == read


def test_one_label_is_a_whole_name_where_a_dot_says_so():
    assert ValueOf(RecordType.CNAME).read("localhost.") == b"localhost"
