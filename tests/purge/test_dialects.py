"""Every shape becomes the same value, or is refused at the place that is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.declined import Declined, Reason
from edge.purge.dialects import read
from edge.purge.dialects_routes import Purge, Shape, route
from edge.purge.requests import Asking, PurgeRequest, Wait
from edge.purge.signing.message import Message
from edge.semantics.message import Line
from edge.semantics.selectors import (
    Everything,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    read_uri,
    read_variant,
)
from tests.kit.desks import SITES, posted, purged

SOFT = (b"Fastly-Soft-Purge", b"1")
KEYS = (b"Surrogate-Key", b"a b")


def uri(text: str) -> Uri:
    return read_uri(text)


def asked(
    said: object, path: str = "/v1/purges", *lines: Line, asking: Asking = Asking(SITES)
) -> PurgeRequest | Declined:
    body = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
    message = posted(body, path, lines=lines)
    found = route(message.method, message.target)
    assert isinstance(found, Purge), found
    return read(found, message, asking)


def taken(said: object, path: str = "/v1/purges", *lines: Line) -> PurgeRequest:
    request = asked(said, path, *lines)
    assert isinstance(request, PurgeRequest), request
    return request


def reason_of(request: PurgeRequest | Declined) -> tuple[object, str]:
    assert isinstance(request, Declined), request
    return request.reason, request.where


A, B = "https://shop.example/a", "http://www.shop.example/b?c=d"
GERMAN = {"Accept-Language": "de"}
VARIANT = {"url": A, "headers": GERMAN}

SHAPES: list[tuple[str, str, object, tuple[Line, ...], tuple[Selector, ...], bool]] = [
    ("urls", "/v1/purges", {"urls": [A, B]}, (), (uri(A), uri(B)), False),
    ("variants", "/v1/purges", {"variants": [VARIANT]}, (), (read_variant(uri(A), GERMAN),), False),
    ("tags", "/v1/purges", {"site": "shop", "tags": ["a", "é"]}, (), (Tag("shop", b"a"), Tag("shop", "é".encode())), False),
    ("prefixes", "/v1/purges", {"prefixes": ["shop.example/a/"]}, (), (Prefix(b"shop.example", b"/a/"),), False),
    ("hosts", "/v1/purges", {"hosts": ["shop.example"]}, (), (Host(b"shop.example"),), False),
    ("sites", "/v1/purges", {"sites": ["blog", "shop"]}, (), (Site("blog"), Site("shop")), False),
    ("everything", "/v1/purges", {"everything": True, "soft": True}, (), (Everything(),), True),
    ("a mixed batch", "/v1/purges", {"urls": [A], "hosts": ["blog.example"], "everything": False}, (), (uri(A), Host(b"blog.example")), False),
    ("fastly key", "/service/shop/purge/a", None, (), (Tag("shop", b"a"),), False),
    ("fastly key, soft", "/service/shop/purge/a", None, (SOFT,), (Tag("shop", b"a"),), True),
    ("fastly key, any bytes", "/service/shop/purge/%E9", None, (), (Tag("shop", b"\xe9"),), False),
    ("fastly keys", "/service/shop/purge", {"surrogate_keys": ["a", "b"]}, (), (Tag("shop", b"a"), Tag("shop", b"b")), False),
    ("fastly keys in a field", "/service/shop/purge", None, (KEYS, SOFT), (Tag("shop", b"a"), Tag("shop", b"b")), True),
    ("fastly keys in both", "/service/shop/purge", {"surrogate_keys": ["c"]}, (KEYS,), (Tag("shop", b"a"), Tag("shop", b"b"), Tag("shop", b"c")), False),
    ("fastly keys in two fields", "/service/shop/purge", None, (KEYS, (b"Surrogate-Key", b"c")), (Tag("shop", b"a"), Tag("shop", b"b"), Tag("shop", b"c")), False),
    ("fastly all", "/service/shop/purge_all", None, (), (Site("shop"),), False),
    ("fastly url", "/purge/www.shop.example/b?c=d", None, (), (uri(B),), False),
    ("fastly url with a scheme", "/purge/https://shop.example/a", None, (SOFT,), (uri(A),), True),
    ("cloudflare files", "/zones/shop/purge_cache", {"files": [A, {"url": B}]}, (), (uri(A), uri(B)), False),
    ("cloudflare variants", "/zones/shop/purge_cache", {"files": [VARIANT]}, (), (read_variant(uri(A), GERMAN),), False),
    ("cloudflare tags", "/client/v4/zones/shop/purge_cache", {"tags": ["a"]}, (), (Tag("shop", b"a"),), False),
    ("cloudflare hosts", "/client/v4/zones/shop/purge_cache", {"hosts": ["www.shop.example"]}, (), (Host(b"www.shop.example"),), False),
    ("cloudflare prefixes", "/zones/shop/purge_cache", {"prefixes": ["shop.example/a"]}, (), (Prefix(b"shop.example", b"/a"),), False),
    ("cloudflare all", "/zones/shop/purge_cache", {"purge_everything": True}, (), (Site("shop"),), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said", "lines", "items", "soft"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_each_shape_becomes_one_value(
    path: str, said: object, lines: tuple[Line, ...], items: tuple[Selector, ...], soft: bool
):
    assert taken(said, path, *lines) == PurgeRequest(items, soft)


V1, FASTLY, CLOUDFLARE = "/v1/purges", "/service/shop/purge", "/zones/shop/purge_cache"

REFUSED: list[tuple[str, str, object, tuple[Line, ...], Reason, str]] = [
    ("nothing", V1, {}, (), Reason.NOTHING_NAMED, ""),
    ("empty lists", V1, {"urls": []}, (), Reason.NOTHING_NAMED, ""),
    ("everything: false", V1, {"everything": False}, (), Reason.NOTHING_NAMED, ""),
    ("a misspelled member", V1, {"url": A}, (), Reason.UNKNOWN_MEMBER, "/url"),
    ("cloudflare's member", V1, {"files": [A]}, (), Reason.UNKNOWN_MEMBER, "/files"),
    ("a list that is text", V1, {"urls": A}, (), Reason.WRONG_TYPE, "/urls"),
    ("a list that is null", V1, {"urls": None}, (), Reason.WRONG_TYPE, "/urls"),
    ("a number in a list", V1, {"urls": [A, 5]}, (), Reason.WRONG_TYPE, "/urls/1"),
    ("soft as text", V1, {"urls": [A], "soft": "true"}, (), Reason.WRONG_TYPE, "/soft"),
    ("everything as a number", V1, {"everything": 1}, (), Reason.WRONG_TYPE, "/everything"),
    ("a note that is long", V1, {"urls": [A], "note": "x" * 257}, (), Reason.BAD_NOTE, "/note"),
    ("a note that moves the cursor", V1, {"urls": [A], "note": "\x1b[2J"}, (), Reason.BAD_NOTE, "/note"),
    ("a bad url", V1, {"urls": [A, "shop.example"]}, (), Reason.BAD_URL, "/urls/1"),
    ("half a character", V1, b'{"urls": ["\\ud800"]}', (), Reason.NOT_UTF_8, "/urls/0"),
    ("a host of nobody", V1, {"hosts": ["else.example"]}, (), Reason.UNKNOWN_HOST, "/hosts/0"),
    ("tags of nobody", V1, {"tags": ["a"]}, (), Reason.SITE_MISSING, "/site"),
    ("tags of an unknown site", V1, {"tags": ["a"], "site": "else"}, (), Reason.UNKNOWN_SITE, "/site"),
    ("a site without tags", V1, {"site": "shop"}, (), Reason.UNKNOWN_MEMBER, "/site"),
    ("a tag with an end of line", V1, {"tags": ["a\n"], "site": "shop"}, (), Reason.BAD_TAG, "/tags/0"),
    ("a variant without headers", V1, {"variants": [{"url": A}]}, (), Reason.BAD_VARIANT, "/variants/0"),
    ("a variant with more", V1, {"variants": [VARIANT | {"x": 1}]}, (), Reason.UNKNOWN_MEMBER, "/variants/0/x"),
    ("a variant of a number", V1, {"variants": [{"url": A, "headers": {"a": 1}}]}, (), Reason.WRONG_TYPE, "/variants/0/headers/a"),
    ("a variant that is text", V1, {"variants": [A]}, (), Reason.WRONG_TYPE, "/variants/0"),
    ("no json", V1, b"urls=a", (), Reason.NOT_JSON, ""),
    ("an unknown parameter", V1 + "?force=1", {"urls": [A]}, (), Reason.BAD_QUERY, "force"),
    ("wait for whom", V1 + "?wait=all", {"urls": [A]}, (), Reason.BAD_QUERY, "wait"),
    ("wait for how long", V1 + "?wait=global&timeout=5", {"urls": [A]}, (), Reason.BAD_QUERY, "timeout"),
    ("wait for too long", V1 + "?wait=global&timeout=61s", {"urls": [A]}, (), Reason.BAD_QUERY, "timeout"),
    ("a timeout for nothing", V1 + "?timeout=5s", {"urls": [A]}, (), Reason.BAD_QUERY, "timeout"),
    ("a parameter twice", V1 + "?wait=global&wait=global", {"urls": [A]}, (), Reason.BAD_QUERY, ""),
    ("a wait for a dry run", V1 + "?dry_run=1&wait=global", {"urls": [A]}, (), Reason.BAD_QUERY, "wait"),
    ("an empty dry_run", V1 + "?dry_run=", {"urls": [A]}, (), Reason.BAD_QUERY, "dry_run"),
    ("two idempotency keys", V1, {"urls": [A]}, ((b"Idempotency-Key", b"a"), (b"Idempotency-Key", b"b")), Reason.BAD_IDEMPOTENCY_KEY, "Idempotency-Key"),
    ("an empty idempotency key", V1, {"urls": [A]}, ((b"Idempotency-Key", b""),), Reason.BAD_IDEMPOTENCY_KEY, "Idempotency-Key"),
    ("a long idempotency key", V1, {"urls": [A]}, ((b"Idempotency-Key", b"a" * 256),), Reason.BAD_IDEMPOTENCY_KEY, "Idempotency-Key"),
    ("fastly: no keys", FASTLY, {"surrogate_keys": []}, (), Reason.NOTHING_NAMED, ""),
    ("fastly: no body and no field", FASTLY, None, (), Reason.CONTENT_TYPE, "Content-Type"),
    ("fastly: another member", FASTLY, {"keys": ["a"]}, (), Reason.UNKNOWN_MEMBER, "/keys"),
    ("fastly: a query", FASTLY + "?soft=1", {"surrogate_keys": ["a"]}, (), Reason.BAD_QUERY, ""),
    ("fastly: another service", "/service/else/purge_all", None, (), Reason.UNKNOWN_SITE, "path"),
    ("fastly: a key with a body", "/service/shop/purge/a", {}, (), Reason.UNEXPECTED_BODY, ""),
    ("fastly: a key that is no tag", "/service/shop/purge/%00", None, (), Reason.BAD_TAG, "path"),
    ("fastly: soft or not", "/service/shop/purge/a", None, ((b"Fastly-Soft-Purge", b"yes"),), Reason.BAD_FIELD, "Fastly-Soft-Purge"),
    ("fastly: a url of nobody", "/purge/else.example/", None, (), Reason.UNKNOWN_HOST, "path"),
    ("fastly: no url", "/purge/%20", None, (), Reason.BAD_URL, "path"),
    ("cloudflare: another zone", "/zones/else/purge_cache", {"tags": ["a"]}, (), Reason.UNKNOWN_SITE, "path"),
    ("cloudflare: a file of another site", CLOUDFLARE, {"files": ["https://blog.example/"]}, (), Reason.OTHER_SITE, "/files/0"),
    ("cloudflare: a host of another site", CLOUDFLARE, {"hosts": ["blog.example"]}, (), Reason.OTHER_SITE, "/hosts/0"),
    ("cloudflare: a file without url", CLOUDFLARE, {"files": [{}]}, (), Reason.WRONG_TYPE, "/files/0/url"),
    ("cloudflare: nothing", CLOUDFLARE, {"purge_everything": False}, (), Reason.NOTHING_NAMED, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said", "lines", "reason", "where"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_what_a_shape_does_not_know_is_refused_where_it_stands(
    path: str, said: object, lines: tuple[Line, ...], reason: Reason, where: str
):
    assert reason_of(asked(said, path, *lines)) == (reason, where)


@pytest.mark.parametrize(
    "kind", [b"text/plain", b"application/x-www-form-urlencoded", b"application/json; charset=latin-1", b""]
)
def test_a_body_says_that_it_is_json(kind: bytes):
    message = posted(b'{"urls": ["https://shop.example/a"]}')
    said = Message(
        message.method,
        message.authority,
        message.target,
        message.fields.with_set(b"Content-Type", kind),
        message.body,
    )
    assert reason_of(read(Purge(Shape.OURS), said, Asking(SITES)))[0] is Reason.CONTENT_TYPE


def test_what_is_wanted_besides_stands_in_the_query_and_in_a_field():
    key = (b"Idempotency-Key", b"5f3c")
    request = taken({"urls": [A], "note": "é"}, "/v1/purges?wait=region&timeout=1500ms", key)
    assert request == PurgeRequest((uri(A),), False, "é", "5f3c", False, Wait.REGION, 1.5)
    assert taken({"urls": [A]}, "/v1/purges?dry_run=1").dry_run
    assert taken({"urls": [A]}, "/v1/purges?wait=global").timeout == 5.0
    assert taken(None, "/service/shop/purge/a", key).idempotency_key == "5f3c"


def test_a_batch_has_its_bound():
    urls = [f"https://shop.example/{number}" for number in range(4)]
    assert reason_of(asked({"urls": urls}, asking=Asking(SITES, max_items=3))) == (
        Reason.TOO_MANY_ITEMS,
        "/urls/3",
    )


def test_a_key_for_one_site_need_not_name_it():
    request = asked({"tags": ["a"]}, asking=Asking(SITES, own="shop"))
    assert isinstance(request, PurgeRequest) and request.items == (Tag("shop", b"a"),)


PURGES: list[tuple[str, str, tuple[Line, ...], tuple[Selector, ...], bool]] = [
    ("a url", "https://shop.example/a", (), (uri(A),), False),
    ("with its query", "http://www.shop.example/b?c=d", (SOFT,), (uri(B),), True),
    ("tags", "https://shop.example/", (KEYS,), (Tag("shop", b"a"), Tag("shop", b"b")), False),
    ("tags of another host", "https://blog.example/any", (KEYS,), (Tag("blog", b"a"), Tag("blog", b"b")), False),
    ("any port", "http://shop.example:8080/a", (), (uri("http://shop.example:8080/a"),), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "lines", "items", "soft"), [row[1:] for row in PURGES], ids=[row[0] for row in PURGES]
)
def test_purge_names_its_target_or_tags_of_its_site(
    url: str, lines: tuple[Line, ...], items: tuple[Selector, ...], soft: bool
):
    assert read(Purge(Shape.METHOD), purged(url, *lines), Asking(SITES)) == PurgeRequest(items, soft)


@pytest.mark.parametrize(
    ("url", "lines", "reason"),
    [
        ("https://else.example/a", (), Reason.UNKNOWN_HOST),
        ("https://else.example/a", (KEYS,), Reason.UNKNOWN_HOST),
        ("https://shop.example/a/%2e%2e/b", (), Reason.BAD_URL),
        ("https://shop.example/a", ((b"Surrogate-Key", b" "),), Reason.NOTHING_NAMED),
        ("https://shop.example/a", (SOFT, SOFT), Reason.BAD_FIELD),
    ],
)
def test_purge_of_what_is_not_ours_is_refused(url: str, lines: tuple[Line, ...], reason: Reason):
    assert reason_of(read(Purge(Shape.METHOD), purged(url, *lines), Asking(SITES)))[0] is reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([A, B, "shop"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "headers", "x"]), inner)
    ),
    max_leaves=6,
)
MEMBERS = ["urls", "variants", "site", "tags", "prefixes", "hosts", "sites", "everything", "soft", "note"]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=4))
def test_any_body_is_read_or_refused(said: dict[str, object]):
    request = asked(said)
    assert isinstance(request, PurgeRequest | Declined)
