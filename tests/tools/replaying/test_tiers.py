"""Cache-Status is read from the client inwards, and no further than this request went."""

from __future__ import annotations

import pytest

from tools.replaying.tiers import Deed, Did, deeds


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, ()),
        (b"", ()),
        (b"edge;hit;ttl=5", (Deed("edge", Did.HIT),)),
        (
            b"edge;hit;ttl=-5;detail=stale-while-revalidate",
            (Deed("edge", Did.STALE, "stale-while-revalidate"),),
        ),
        (b'"edge 1";detail=no-site', (Deed("edge 1", Did.ANSWERED, "no-site"),)),
        (
            b"shield;fwd=uri-miss;stored, edge;fwd=uri-miss;stored",
            (
                Deed("edge", Did.FORWARDED, "uri-miss", stored=True),
                Deed("shield", Did.FORWARDED, "uri-miss", stored=True),
            ),
        ),
        (
            b"shield;hit;ttl=9, edge;fwd=stale;fwd-status=304",
            (Deed("edge", Did.FORWARDED, "stale"), Deed("shield", Did.HIT)),
        ),
        # what the shield did when the edge's stored response was fetched, for somebody else
        (b"shield;fwd=uri-miss;stored, edge;hit;ttl=5", (Deed("edge", Did.HIT),)),
        (b"shield;fwd=uri-miss, edge;fwd=uri-miss;collapsed", (Deed("edge", Did.COLLAPSED, "uri-miss"),)),
        # two workers of one node
        (b"edge;hit;ttl=5, edge;fwd=uri-miss", (Deed("edge", Did.HIT),)),
        (b"edge;fwd=uri-miss, edge;fwd=uri-miss", (Deed("edge", Did.FORWARDED, "uri-miss"),)),
        (b"edge;;hit", ()),
        (b"(a b);hit", ()),
        (b"7;hit", ()),
    ],
)
def test_what_each_tier_did(said: bytes | None, found: tuple[Deed, ...]):
    assert deeds(said) == found
