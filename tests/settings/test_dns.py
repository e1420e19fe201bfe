"""What follows from a zone's settings."""

from __future__ import annotations

import pytest

from edge.settings.dns import Zone

ZONE = Zone(origin=b"cdn.example.net")


@pytest.mark.parametrize(
    "name, held",
    [
        (b"cdn.example.net", True),
        (b"www.cdn.example.net", True),
        (b"*.shop.cdn.example.net", True),
        (b"xcdn.example.net", False),
        (b"example.net", False),
    ],
)
def test_a_zone_holds_itself_and_what_is_below_it(name: bytes, held: bool):
    assert ZONE.holds(name) is held


def test_the_mailbox_is_hostmaster_where_none_is_written():
    assert ZONE.mailbox == b"hostmaster.cdn.example.net"
    assert Zone(origin=b"a.org", hostmaster=b"dns.b.org").mailbox == b"dns.b.org"
