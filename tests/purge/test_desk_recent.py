"""The newest orders are kept, in number and in bytes, and nothing is told of what was forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.desk_recent import ITEM_BYTES, ORDER_BYTES, Recent, size_of
from edge.semantics.message import Authority, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import (
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    read_uri,
    read_variant,
)

URI = read_uri("https://shop.example/a")


def order(name: str, *items: Selector, note: str = "") -> PurgeOrder:
    return PurgeOrder(name, UnixSeconds(0.0), items or (Everything(),), note=note)


def test_the_oldest_goes_when_there_are_too_many():
    recent = Recent(max_orders=2)
    for number, name in enumerate("abc", 1):
        recent.add(order(name), number, "h")
    assert recent.get("a") is None
    assert [(kept.seq, kept.history) for name in "bc" if (kept := recent.get(name))] == [(2, "h"), (3, "h")]


def test_or_when_they_are_too_large():
    recent = Recent(max_bytes=3 * (ORDER_BYTES + ITEM_BYTES))
    for name in "abc":
        recent.add(order(name), 1, "h")
    recent.add(order("d", note="x" * 10), 1, "h")
    assert (len(recent), recent.get("b"), recent.get("c") is not None) == (2, None, True)


def test_an_order_that_comes_again_is_known_by_its_latest_place():
    recent = Recent(max_orders=2)
    recent.add(order("a"), 1, "h")
    recent.add(order("a"), 7, "h")
    recent.add(order("b"), 8, "h")
    again = recent.get("a")
    assert again is not None and again.seq == 7, "the first place was forgotten, the second was not"


def test_everything_that_an_order_names_is_charged():
    sizes = [
        size_of(order("a", item)) - ORDER_BYTES - ITEM_BYTES
        for item in (
            Everything(),
            Site("shop"),
            Host(b"shop.example"),
            Prefix(b"shop.example", b"/a"),
            Tag("shop", b"tag"),
            Group(Authority(b"https", b"shop.example", 443), b"g"),
            URI,
            read_variant(URI, {"Accept": "text/html"}),
        )
    ]
    assert sizes == [0, 4, 12, 14, 7, 13, 14, 179]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60)), max_size=40))
def test_the_bytes_are_those_of_what_is_kept(said: list[tuple[str, int]]):
    recent = Recent(max_orders=5, max_bytes=4 * (ORDER_BYTES + ITEM_BYTES))
    for number, (name, length) in enumerate(said):
        recent.add(order(name, note="x" * length), number, "h")
        assert recent.size <= 4 * (ORDER_BYTES + ITEM_BYTES)
        assert len(recent) <= 5
    kept = {kept.seq: kept for name in "abcdef" if (kept := recent.get(name))}
    latest = {name: number for number, (name, _) in enumerate(said)}
    assert all(latest[kept.order.id] == seq for seq, kept in kept.items())
