"""What is named belongs to a site of ours, counts once, and is asked of a key by its site and kind."""

from __future__ import annotations

import pytest

from edge.purge.declined import Reason, Unacceptable
from edge.purge.requests import Asking, Naming, wanted_of
from edge.purge.signing.keys import ScopeKind
from edge.semantics.message import Authority
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
from edge.settings.sites import SiteTable
from tests.kit.desks import SHOP, SITES

ASKING = Asking(SITES)


def reason_of(naming: Naming, method: str, *said: object) -> tuple[Reason, str]:
    with pytest.raises(Unacceptable) as refused:
        getattr(naming, method)(*said)
    reason = refused.value.why.reason
    assert isinstance(reason, Reason)
    return reason, refused.value.why.where


def test_each_thing_counts_once_however_it_is_written():
    naming = Naming(ASKING)
    naming.url("https://shop.example/a", "/urls/0")
    naming.url("HTTPS://SHOP.example.:443/a", "/urls/1")
    naming.host("shop.example", "/hosts/0")
    naming.host("Shop.Example.", "/hosts/1")
    naming.prefix("shop.example/", "/prefixes/0")
    assert naming.items() == (read_uri("https://shop.example/a"), Host(b"shop.example"))


@pytest.mark.parametrize(
    ("method", "said", "reason"),
    [
        ("url", "shop.example/a", Reason.BAD_URL),
        ("url", "https://shop.example/a#b", Reason.BAD_URL),
        ("url", "https://shop.example/a/../b", Reason.BAD_URL),
        ("url", "https://shop.example/ä", Reason.BAD_URL),
        ("url", "https://user@shop.example/", Reason.BAD_URL),
        ("url", "https://else.example/a", Reason.UNKNOWN_HOST),
        ("host", "https://shop.example", Reason.BAD_HOST),
        ("host", "shop.example:8080", Reason.BAD_HOST),
        ("host", "else.example", Reason.UNKNOWN_HOST),
        ("host", "example", Reason.UNKNOWN_HOST),
        ("prefix", "shop.example/a?b", Reason.BAD_PREFIX),
        ("prefix", "shop.example/" + "a/" * 33, Reason.BAD_PREFIX),
        ("prefix", "else.example/a", Reason.UNKNOWN_HOST),
        ("site", "else", Reason.UNKNOWN_SITE),
    ],
)
def test_what_cannot_be_read_and_what_nobody_serves_is_refused(method: str, said: str, reason: Reason):
    assert reason_of(Naming(ASKING), method, said, "/here/0") == (reason, "/here/0")


@pytest.mark.parametrize("said", ["", " a", "a ", "a\tb", "a\x00", "x" * 1_025])
def test_what_no_response_can_carry_is_no_tag(said: str):
    assert reason_of(Naming(ASKING), "tag", "shop", said, "/tags/0") == (Reason.BAD_TAG, "/tags/0")


@pytest.mark.parametrize(
    "fields", [{}, {"a b": "c"}, {"a": "b\r\nc"}, {f"x{number}": "y" for number in range(33)}]
)
def test_a_variant_is_named_by_request_fields(fields: dict[str, str]):
    url = "https://shop.example/a"
    assert reason_of(Naming(ASKING), "variant", url, fields, "/v")[0] is Reason.BAD_VARIANT


def test_a_site_keeps_others_out():
    naming = Naming(ASKING, within="blog")
    naming.host("blog.example", "/hosts/0")
    assert reason_of(naming, "host", "shop.example", "/hosts/1") == (Reason.OTHER_SITE, "/hosts/1")
    assert reason_of(naming, "url", "http://www.shop.example/", "/files/0")[0] is Reason.OTHER_SITE


def test_more_than_is_allowed_is_refused_at_the_one_that_is_too_many():
    naming = Naming(Asking(SITES, max_items=2))
    for name in ("a", "b", "a"):
        naming.tag("shop", name, "/tags")
    assert reason_of(naming, "tag", "shop", "c", "/tags/3") == (Reason.TOO_MANY_ITEMS, "/tags/3")


def test_nothing_is_no_purge():
    assert reason_of(Naming(ASKING), "items")[0] is Reason.NOTHING_NAMED


@pytest.mark.parametrize(
    ("asking", "named", "site"),
    [
        (Asking(SITES), "blog", "blog"),
        (Asking(SITES, own="shop"), None, "shop"),
        (Asking(SITES, own="shop"), "blog", "blog"),  # the key's scope will refuse it
        (Asking(SiteTable((SHOP,))), None, "shop"),
    ],
)
def test_tags_belong_to_the_site_that_is_named_or_can_only_be_meant(
    asking: Asking, named: str | None, site: str
):
    assert asking.site(named, "/site") == site


@pytest.mark.parametrize(
    ("asking", "named", "reason"),
    [
        (Asking(SITES), None, Reason.SITE_MISSING),
        (Asking(SITES), "else", Reason.UNKNOWN_SITE),
        (Asking(SITES, own="gone"), None, Reason.UNKNOWN_SITE),
    ],
)
def test_else_they_belong_to_none(asking: Asking, named: str | None, reason: Reason):
    with pytest.raises(Unacceptable) as refused:
        asking.site(named, "/site")
    assert refused.value.why.reason is reason


URI = read_uri("https://www.shop.example/a")


@pytest.mark.parametrize(
    ("item", "site", "kind"),
    [
        (URI, "shop", ScopeKind.URL),
        (read_variant(URI, {"Accept-Language": "de"}), "shop", ScopeKind.VARIANT),
        (Tag("blog", b"t"), "blog", ScopeKind.TAG),
        (Group(Authority(b"https", b"blog.example", 443), b"g"), "blog", ScopeKind.TAG),
        (Prefix(b"shop.example", b"/a"), "shop", ScopeKind.PREFIX),
        (Host(b"blog.example"), "blog", ScopeKind.HOST),
        (Host(b"else.example"), None, ScopeKind.HOST),
        (Site("blog"), "blog", ScopeKind.SITE),
        (Everything(), None, ScopeKind.EVERYTHING),
    ],
)
def test_a_key_is_asked_for_the_site_and_the_kind(item: Selector, site: str | None, kind: ScopeKind):
    assert wanted_of(item, SITES) == (site, kind)
