"""Addresses are written as they are read, and the command line says only what was said."""

from __future__ import annotations

from ipaddress import ip_address

from edge.settings.node import ListenAddress, Nameserver, Overrides


def test_an_address_is_written_with_brackets_where_it_needs_them():
    assert str(ListenAddress("127.0.0.1", 80)) == "127.0.0.1:80"
    assert str(ListenAddress("::1", 80)) == "[::1]:80"
    assert str(Nameserver(ip_address("192.0.2.1"))) == "192.0.2.1"
    assert str(Nameserver(ip_address("::1"), 5353)) == "[::1]:5353"


def test_what_was_not_said_is_not_said():
    assert list(Overrides().said()) == []
    assert list(Overrides(listen="a:1", workers="2").said()) == [("listen", "a:1"), ("workers", "2")]
