"""Purge orders and what they name, for tables: one line each."""

from __future__ import annotations

from edge.semantics.key import primary_key
from edge.semantics.message import Authority, Fields, Line, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable, Standing
from edge.semantics.rules import KeyRules, VaryRules
from edge.semantics.selectors import (
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
    selectors_for,
)
from edge.semantics.stored import Nominated, StoredResponse
from edge.values import replace
from tests.kit.stored_responses import HERE, holding

VARY, PLAIN = VaryRules(), KeyRules()
HTTP = Authority(b"http", b"a.example", 80)
ODD = Authority(b"https", b"a.example", 8443)
GZIP: Nominated = ((b"accept-encoding", b"gzip"),)


def keys_of(uri: Uri) -> tuple[bytes, ...]:
    """As of a site with plain rules."""
    return tuple(primary_key(authority, uri.target, PLAIN) for authority in uri.authorities())


def kept(
    target: bytes = b"/a/b?c",
    *lines: Line,
    site: str = "shop",
    authority: Authority = HERE,
    nominated: Nominated = (),
    fence: int = 0,
) -> StoredResponse:
    return replace(
        holding(*lines),
        key=primary_key(authority, target, PLAIN),
        nominated=nominated,
        fence=fence,
        selectors=selectors_for(site, authority, target, Fields(lines)),
    )


def order(*items: Selector, soft: bool = False, at: float = 0.0) -> PurgeOrder:
    return PurgeOrder("p", UnixSeconds(at), items, soft)


def table(*orders: PurgeOrder, max_items: int = 1000) -> PurgeTable:
    """Which has read these from the first position on."""
    made = PurgeTable(keys_of, max_items)
    for position, each in enumerate(orders, 1):
        made.apply(each, position)
    return made


def standing(made: PurgeTable, stored: StoredResponse, clean: int = 0, need: int = 0) -> Standing:
    return made.standing(stored, clean, need, VARY).standing


TAGGED = kept(b"/a/b?c", (b"Surrogate-Key", b"red blue"), (b"Cache-Groups", b'"g"'))
VARIED = kept(b"/a/b?c", nominated=GZIP)
NAMES: list[tuple[Selector, StoredResponse, bool]] = [
    (Uri(HERE, b"/a/b?c"), TAGGED, True),
    (Uri(HTTP, b"/a/b?c"), TAGGED, True),
    (Uri(ODD, b"/a/b?c"), TAGGED, False),
    (Uri(ODD, b"/a/b?c"), kept(authority=ODD), True),
    (Uri(HERE, b"/a/b"), TAGGED, False),
    (Uri(HERE, b"/a/b?c"), VARIED, True),
    (Variant(Uri(HERE, b"/a/b?c"), ((b"accept-encoding", b"gzip, br;q=0"),)), VARIED, True),
    (Variant(Uri(HTTP, b"/a/b?c"), ((b"accept-encoding", b"gzip"),)), VARIED, True),
    (Variant(Uri(HERE, b"/a/b?c"), ((b"accept-encoding", b"br"),)), VARIED, False),
    (Variant(Uri(HERE, b"/a/b?c"), ((b"accept", b"x"),)), VARIED, False),
    (Variant(Uri(HERE, b"/a/b?c"), ((b"accept", b"x"),)), TAGGED, True),
    (Variant(Uri(HERE, b"/a"), ((b"accept-encoding", b"gzip"),)), VARIED, False),
    (Tag("shop", b"red"), TAGGED, True),
    (Tag("shop", b"g"), TAGGED, True),
    (Tag("shop", b"Red"), TAGGED, False),
    (Tag("shop", b"re"), TAGGED, False),
    (Tag("other", b"red"), TAGGED, False),
    (Group(HERE, b"g"), TAGGED, True),
    (Group(HTTP, b"g"), TAGGED, False),
    (Group(HERE, b"red"), TAGGED, False),
    (Prefix(b"a.example", b"/a"), TAGGED, True),
    (Prefix(b"a.example", b"/a/"), TAGGED, True),
    (Prefix(b"a.example", b"/a/b"), TAGGED, True),
    (Prefix(b"a.example", b"/a"), kept(authority=ODD), True),
    (Prefix(b"a.example", b"/a/b/"), TAGGED, False),
    (Prefix(b"a.example", b"/"), TAGGED, False),
    (Prefix(b"b.example", b"/a"), TAGGED, False),
    (Host(b"a.example"), TAGGED, True),
    (Host(b"a.example"), kept(authority=ODD), True),
    (Host(b"b.example"), TAGGED, False),
    (Site("shop"), TAGGED, True),
    (Site("other"), TAGGED, False),
    (Everything(), TAGGED, True),
]
