"""Hosts, origins, sockets, networks: what is right is read, what is nearly right is refused with the right text."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.rules import OriginAddress
from edge.settings.address_kinds import (
    FileName,
    HostHeader,
    HostName,
    HostNames,
    Listen,
    NameserverAddress,
    NetworkRange,
    OriginUrl,
    ServerName,
    host_of,
)
from edge.settings.kinds import Kind
from edge.settings.node import ListenAddress, Nameserver
from edge.settings.problems import Refused

READ = [
    (HostName(), "WWW.Example.org", b"www.example.org"),
    (HostName(), "*.example.org", b"*.example.org"),
    (HostName(), "_dmarc.a-b.org", b"_dmarc.a-b.org"),
    (HostName(), "localhost", b"localhost"),
    (HostName(), "192.0.2.1", b"192.0.2.1"),
    (HostName(), "[2001:DB8::0:1]", b"[2001:db8::1]"),
    (HostName(), "*", b"*"),
    (HostNames(), ["*"], ()),
    (HostNames(), ["a.org", "*.a.org"], (b"a.org", b"*.a.org")),
    (HostHeader(), "App.example.org", b"app.example.org"),
    (HostHeader(), "app.example.org:8443", b"app.example.org:8443"),
    (HostHeader(), "[::1]:80", b"[::1]:80"),
    (ServerName(), "App.example.org", "app.example.org"),
    (ServerName(), "[::1]", "::1"),
    (OriginUrl(), "http://127.0.0.1:3000", OriginAddress(b"http", b"127.0.0.1", 3000)),
    (OriginUrl(), "HTTPS://App.example.org/", OriginAddress(b"https", b"app.example.org", 443)),
    (OriginUrl(), "http://[::1]/a/b%20c/", OriginAddress(b"http", b"[::1]", 80, b"/a/b%20c")),
    (Listen(), "127.0.0.1:8080", ListenAddress("127.0.0.1", 8080)),
    (Listen(), "[::]:0", ListenAddress("::", 0)),
    (Listen(), "localhost:65535", ListenAddress("localhost", 65535)),
    (NetworkRange(), "10.0.0.0/8", ip_network("10.0.0.0/8")),
    (NetworkRange(), "192.0.2.1", ip_network("192.0.2.1/32")),
    (NetworkRange(), "2001:db8::/32", ip_network("2001:db8::/32")),
    (NameserverAddress(), "192.0.2.53", Nameserver(ip_address("192.0.2.53"))),
    (NameserverAddress(), "192.0.2.53:5353", Nameserver(ip_address("192.0.2.53"), 5353)),
    (NameserverAddress(), "2001:db8::53", Nameserver(ip_address("2001:db8::53"))),
    (NameserverAddress(), "[2001:db8::53]:5353", Nameserver(ip_address("2001:db8::53"), 5353)),
    (FileName(), "sites/*.toml", "sites/*.toml"),
]

REFUSED: list[tuple[Kind[object], object, str | None]] = [
    (HostName(), 3, None),
    (HostName(), "", None),
    (HostName(), "a..b", None),
    (HostName(), "-a.org", None),
    (HostName(), "a.org:8080", "a.org"),
    (HostName(), "http://a.org/x", "a.org"),
    (HostName(), "http://[", None),
    (HostName(), "a.org.", "a.org"),
    (HostName(), "::1", "[::1]"),
    (HostName(), "bücher.example", "xn--bcher-kva.example"),
    (HostName(), "ü" * 300, None),
    (HostName(), "1.2.3", None),
    (HostName(), "256.1.1.1", None),
    (HostName(), "*.192.0.2.1", None),
    (HostName(), "*.*.org", None),
    (HostName(), "a.*.org", None),
    (HostName(), "x" * 64 + ".org", None),
    (HostName(), ".".join(["abcdefgh"] * 29), None),
    (HostName(), "[::1%eth0]", None),
    (HostHeader(), "a.org:0", None),
    (HostHeader(), "a b", None),
    (HostHeader(), 80, None),
    (ServerName(), "a.org:443", None),
    (OriginUrl(), "127.0.0.1:3000", "http://127.0.0.1:3000"),
    (OriginUrl(), "app.example.org", "http://app.example.org"),
    (OriginUrl(), "?", None),
    (OriginUrl(), "ftp://a.org", None),
    (OriginUrl(), "http://", None),
    (OriginUrl(), "http://user@a.org", None),
    (OriginUrl(), "http://a.org?x", None),
    (OriginUrl(), "http://a.org/#x", None),
    (OriginUrl(), "http://a.org:99999", None),
    (OriginUrl(), "http://a.org:", None),
    (OriginUrl(), "http://a.org/a b", None),
    (OriginUrl(), "http://a.org/\r\nX", None),
    (OriginUrl(), ["http://a.org"], None),
    (Listen(), ":8080", "0.0.0.0:8080"),
    (Listen(), "127.0.0.1", None),
    (Listen(), "127.0.0.1:65536", None),
    (Listen(), 8080, None),
    (NetworkRange(), "10.0.0.1/8", "10.0.0.0/8"),
    (NetworkRange(), "10.0.0.0/33", None),
    (NetworkRange(), "fe80::%eth0/64", None),
    (NetworkRange(), 10, None),
    (NameserverAddress(), "dns.example.org", None),
    (NameserverAddress(), "192.0.2.53:0", None),
    (NameserverAddress(), 53, None),
    (FileName(), "", None),
    (FileName(), "a\0b", None),
    (FileName(), 3, None),
]


@pytest.mark.parametrize("kind, value, read", READ)
def test_what_is_right_is_read_and_written_back(kind: Kind[object], value: object, read: object):
    assert kind.read(value) == read
    assert kind.read(tomllib.loads(f"k = {kind.write(read)}")["k"]) == read


@pytest.mark.parametrize("kind, value, meant", REFUSED)
def test_what_is_nearly_right_is_refused_with_what_was_meant(
    kind: Kind[object], value: object, meant: str | None
):
    with pytest.raises(Refused) as refusal:
        kind.read(value)
    [fault] = refusal.value.faults
    assert "allowed: " in fault.instead
    assert fault.instead.startswith(f'write "{meant}"') == (meant is not None)
    if meant is not None:
        kind.read(meant)


def test_every_host_is_written_alone():
    with pytest.raises(Refused) as refusal:
        HostNames().read(["a.org", "*"])
    assert [(f.instead, f.at) for f in refusal.value.faults] == [('write ["*"] alone', (1,))]


ALL = [
    HostName(),
    HostHeader(),
    ServerName(),
    OriginUrl(),
    Listen(),
    NetworkRange(),
    NameserverAddress(),
    FileName(),
]


@given(st.sampled_from(ALL), st.one_of(st.text(max_size=40), st.text("ab1.:/[]%*-@ü ", max_size=20)))
def test_any_text_is_read_or_refused(kind: Kind[object], text: str):
    try:
        read = kind.read(text)
    except Refused:
        return
    assert kind.read(tomllib.loads(f"k = {kind.write(read)}")["k"]) == read


@given(st.text("aZ0.-_[]:", max_size=20))
def test_a_host_is_stable(text: str):
    host = host_of(text)
    assert host is None or host_of(host) == host == host.lower()
