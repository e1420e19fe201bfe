"""Which addresses a name may stand for."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fill.guard import is_allowed, is_literal, is_public
from edge.semantics.rules import OriginRules

DEFAULT = OriginRules()
PERMITTED = OriginRules(allow_private_names=True)

# address, public, allowed with allow_private_names
TABLE = [
    ("93.184.216.34", True, True),
    ("1.1.1.1", True, True),
    ("2606:4700:4700::1111", True, True),
    ("2a00:1450:4001:81b::200e", True, True),
    ("64:ff9b::5db8:d822", True, True),  # NAT64 of 93.184.216.34
    ("127.0.0.1", False, True),
    ("127.255.255.254", False, True),
    ("10.0.0.1", False, True),
    ("172.16.0.1", False, True),
    ("172.31.255.255", False, True),
    ("172.32.0.0", True, True),
    ("192.168.1.1", False, True),
    ("169.254.169.254", False, True),
    ("100.64.0.1", False, True),
    ("100.127.255.255", False, True),
    ("100.128.0.0", True, True),
    ("192.0.0.8", False, True),
    ("192.0.2.1", False, True),
    ("198.18.0.1", False, True),
    ("198.51.100.1", False, True),
    ("203.0.113.1", False, True),
    ("192.88.99.1", False, True),
    ("0.0.0.0", False, False),
    ("0.1.2.3", False, False),
    ("224.0.0.1", False, False),
    ("239.255.255.255", False, False),
    ("240.0.0.1", False, False),
    ("255.255.255.255", False, False),
    ("::", False, False),
    ("::1", False, True),
    ("fe80::1", False, True),
    ("fe80::1%eth0", False, True),
    ("fc00::1", False, True),
    ("fdff::1", False, True),
    ("ff02::1", False, False),
    ("::ffff:127.0.0.1", False, True),
    ("::ffff:93.184.216.34", False, True),
    ("::ffff:224.0.0.1", False, False),
    ("::127.0.0.1", False, True),
    ("64:ff9b::7f00:1", False, True),  # NAT64 of 127.0.0.1
    ("64:ff9b::a9fe:a9fe", False, True),  # NAT64 of 169.254.169.254
    ("64:ff9b:1::1", False, True),
    ("2001::1", False, True),
    ("2001:db8::1", False, True),
    ("2002:7f00:1::", False, True),
    ("3fff::1", False, True),
    ("100::1", False, True),
    ("5f00::1", False, True),
    ("not an address", False, False),
    ("", False, False),
    ("127.1", False, False),
    ("0x7f.0.0.1", False, False),
]


@pytest.mark.parametrize("address,public,permitted", TABLE)
def test_a_name_may_stand_for_public_addresses_unless_the_site_permits_others(address, public, permitted):
    assert is_allowed(address, b"shop.test", DEFAULT) is public
    assert is_allowed(address, b"shop.test", PERMITTED) is permitted


@pytest.mark.parametrize(
    "host,address",
    [
        (b"127.0.0.1", "127.0.0.1"),
        (b"10.0.0.1", "10.0.0.1"),
        (b"[::1]", "::1"),
        (b"fd00::1", "fd00::1"),
        (b"localhost", "127.0.0.1"),
        (b"LocalHost.", "::1"),
    ],
)
def test_what_the_operator_wrote_himself_is_meant(host: bytes, address: str):
    assert is_allowed(address, host, DEFAULT)


@pytest.mark.parametrize(
    "host,verdict",
    [
        (b"127.0.0.1", True),
        (b"::1", True),
        (b"[::1]", True),
        (b"shop.test", False),
        (b"127.1", False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_a_literal_is_an_address_in_its_usual_form(host: bytes, verdict: bool):
    assert is_literal(host) is verdict


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private_loopback_or_multicast(address):
    if is_public(address):
        inner = address
        if address.version == 6 and address in __import__("ipaddress").ip_network("64:ff9b::/96"):
            inner = ip_address(int(address) & 0xFFFFFFFF)
        assert not (inner.is_private or inner.is_loopback or inner.is_multicast or inner.is_link_local)
