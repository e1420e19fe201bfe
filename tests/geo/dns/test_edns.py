"""OPT records: subnets and cookies have exactly one form."""

import dns.edns
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.dns.edns import BadOption, ClientSubnet, Edns, clamped, network_address, read_edns


def opt(options: bytes, *, size: int = 1232, version: int = 0, flags: int = 0) -> bytes:
    head = b"\0\0\x29" + size.to_bytes(2, "big") + bytes((0, version)) + flags.to_bytes(2, "big")
    return head + len(options).to_bytes(2, "big") + options


def option(code: int, body: bytes) -> bytes:
    return code.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_subnet_reads_as_dnspython_writes_it(address: object, prefix: int):
    ecs = dns.edns.ECSOption(str(address), min(prefix, 32 if ":" not in str(address) else 128))
    wire = option(8, ecs.to_wire() or b"")
    read, end = read_edns(opt(wire), 0)
    assert end == len(opt(wire))
    assert read.subnet is not None
    assert read.subnet.wire(0) == wire
    assert network_address(read.subnet)[: len(read.subnet.address)] == read.subnet.address


def test_what_an_opt_record_says():
    cookie = b"12345678"
    read, _ = read_edns(opt(option(10, cookie) + option(65001, b"?"), size=4096, flags=0x8000), 0)
    assert read == Edns(4096, 0, 0x8000, None, cookie)
    assert read.wants_dnssec


def test_options_of_another_version_are_not_read():
    assert read_edns(opt(b"\xff", version=1), 0)[0] == Edns(1232, 1, 0)


BAD = [
    ("family 3", option(8, b"\0\3\x18\0abc")),
    ("family 0 with a prefix", option(8, b"\0\0\x08\0a")),
    ("scope in a query", option(8, b"\0\1\x18\x18abc")),
    ("an octet too few", option(8, b"\0\1\x18\0ab")),
    ("an octet too many", option(8, b"\0\1\x18\0abcd")),
    ("prefix 33", option(8, b"\0\1\x21\0abcde")),
    ("bits beyond the prefix", option(8, b"\0\1\x14\0\x0a\x01\x01")),
    ("cut off", option(8, b"\0\1\x18")),
    ("twice", option(8, b"\0\1\0\0") * 2),
    ("half an option", b"\0\x08\0"),
    ("longer than the record", b"\0\x08\0\x09abc"),
    ("a cookie of 7", option(10, b"1234567")),
    ("a cookie of 9", option(10, b"123456789")),
    ("a cookie of 41", option(10, b"1" * 41)),
]


@pytest.mark.parametrize(("name", "options"), BAD, ids=[each[0] for each in BAD])
def test_this_is_no_option(name: str, options: bytes):
    with pytest.raises(BadOption):
        read_edns(opt(options), 0)


@pytest.mark.parametrize("cut", range(11))
def test_a_record_that_is_cut_off_is_refused(cut: int):
    with pytest.raises(BadOption):
        read_edns(opt(b"")[:cut], 0)


def test_family_0_without_an_address_says_that_nobody_is_to_be_located():
    read, _ = read_edns(opt(option(8, b"\0\0\0\0")), 0)
    assert read.subnet == ClientSubnet(0, 0, b"")


CLAMPS = [
    (ClientSubnet(1, 32, b"\x0a\x01\x02\x03"), 24, ClientSubnet(1, 24, b"\x0a\x01\x02")),
    (ClientSubnet(1, 16, b"\x0a\x01"), 24, ClientSubnet(1, 16, b"\x0a\x01")),
    (ClientSubnet(1, 32, b"\x0a\x01\xff\x03"), 20, ClientSubnet(1, 20, b"\x0a\x01\xf0")),
    (ClientSubnet(2, 64, bytes(range(8))), 56, ClientSubnet(2, 56, bytes(range(7)))),
]


@pytest.mark.parametrize(("subnet", "bits", "kept"), CLAMPS)
def test_no_more_of_a_client_is_looked_at_than_is_allowed(
    subnet: ClientSubnet, bits: int, kept: ClientSubnet
):
    assert clamped(subnet, bits) == kept
