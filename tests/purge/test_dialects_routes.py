"""A path is one shape or nothing, whatever is written in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.declined import Declined, Reason
from edge.purge.dialects_routes import (
    Document,
    Nodes,
    OnePurge,
    Purge,
    RecentPurges,
    Route,
    Shape,
    allowed_at,
    route,
)

FOUND: list[tuple[bytes, bytes, Route]] = [
    (b"POST", b"/v1/purges", Purge(Shape.OURS)),
    (b"POST", b"/v1/purges?wait=global", Purge(Shape.OURS)),
    (b"GET", b"/v1/purges", RecentPurges()),
    (b"HEAD", b"/v1/purges", RecentPurges()),
    (b"GET", b"/v1/purges?limit=5&before=77", RecentPurges(5, 77)),
    (b"GET", b"/v1/purges/n1f", OnePurge("n1f")),
    (b"GET", b"/v1/purges/a%2Fb", OnePurge("a/b")),
    (b"GET", b"/v1/nodes", Nodes()),
    (b"GET", b"/v1/openapi.json", Document()),
    (b"POST", b"/service/shop/purge/product-42", Purge(Shape.FASTLY_KEY, "shop", "product-42")),
    (b"POST", b"/service/shop/purge/a%2Fb%C3%A9", Purge(Shape.FASTLY_KEY, "shop", "a/bé")),
    (b"POST", b"/service/shop/purge/a/b", Purge(Shape.FASTLY_KEY, "shop", "a/b")),
    (b"POST", b"/service/shop/purge/%E9", Purge(Shape.FASTLY_KEY, "shop", "\udce9")),
    (b"POST", b"/service/shop/purge", Purge(Shape.FASTLY_KEYS, "shop")),
    (b"POST", b"/service/my%20shop/purge_all", Purge(Shape.FASTLY_ALL, "my shop")),
    (b"POST", b"/purge/shop.example/a?b=c", Purge(Shape.FASTLY_URL, said="shop.example/a?b=c")),
    (b"POST", b"/purge/https://shop.example/%2f", Purge(Shape.FASTLY_URL, said="https://shop.example/%2f")),
    (b"POST", b"/zones/shop/purge_cache", Purge(Shape.CLOUDFLARE, "shop")),
    (b"POST", b"/client/v4/zones/shop/purge_cache", Purge(Shape.CLOUDFLARE, "shop")),
]


@pytest.mark.parametrize(("method", "target", "found"), FOUND)
def test_a_request_line_asks_for_one_thing(method: bytes, target: bytes, found: Route):
    assert route(method, target) == found


NOT_FOUND = [
    (b"GET", b"/", Reason.NO_SUCH_PATH),
    (b"GET", b"*", Reason.NO_SUCH_PATH),
    (b"GET", b"http://shop.example/v1/purges", Reason.NO_SUCH_PATH),
    (b"POST", b"/v1/purges/", Reason.NO_SUCH_PATH),
    (b"POST", b"/v2/purges", Reason.NO_SUCH_PATH),
    (b"POST", b"/V1/PURGES", Reason.NO_SUCH_PATH),
    (b"POST", b"/v1/%70urges", Reason.NO_SUCH_PATH),
    (b"POST", b"/purge/", Reason.NO_SUCH_PATH),
    (b"POST", b"/service/shop/purge/", Reason.NO_SUCH_PATH),
    (b"POST", b"/service//purge", Reason.NO_SUCH_PATH),
    (b"POST", b"/service/shop/purge_all/x", Reason.NO_SUCH_PATH),
    (b"POST", b"/zones/a/b/purge_cache", Reason.NO_SUCH_PATH),
    (b"PUT", b"/v1/purges", Reason.WRONG_METHOD),
    (b"DELETE", b"/v1/purges/n1f", Reason.WRONG_METHOD),
    (b"POST", b"/v1/nodes", Reason.WRONG_METHOD),
    (b"GET", b"/service/shop/purge_all", Reason.WRONG_METHOD),
    (b"PURGE", b"/purge/shop.example/a", Reason.WRONG_METHOD),
    (b"GET", b"/v1/purges?limit=0", Reason.BAD_QUERY),
    (b"GET", b"/v1/purges?limit=201", Reason.BAD_QUERY),
    (b"GET", b"/v1/purges?limit=1&limit=1", Reason.BAD_QUERY),
    (b"GET", b"/v1/purges?before=-1", Reason.BAD_QUERY),
    (b"GET", b"/v1/purges?before=" + b"9" * 16, Reason.BAD_QUERY),
    (b"GET", b"/v1/purges?after=1", Reason.BAD_QUERY),
    (b"POST", b"/zones/%ff/purge_cache", Reason.NOT_UTF_8),
]


@pytest.mark.parametrize(("method", "target", "reason"), NOT_FOUND)
def test_or_for_nothing_that_there_is(method: bytes, target: bytes, reason: Reason):
    found = route(method, target)
    assert isinstance(found, Declined) and found.reason is reason


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        (b"/v1/purges", (b"GET", b"HEAD", b"POST")),
        (b"/v1/purges/x", (b"GET", b"HEAD")),
        (b"/purge/shop.example/", (b"POST",)),
        (b"/", ()),
        (b"/zones/%ff/purge_cache", ()),
    ],
)
def test_allow_names_the_methods_of_a_path(target: bytes, methods: tuple[bytes, ...]):
    assert allowed_at(target) == methods


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"GET", b"POST"]),
    st.binary(max_size=20),
    st.sampled_from(
        [b"/", b"/v1/purges", b"/service/", b"/purge/", b"/zones/shop/purge_cache", b"/v1/purges?"]
    ),
)
def test_no_target_is_too_odd_to_be_judged(method: bytes, tail: bytes, start: bytes):
    found = route(method, start + tail)
    assert isinstance(found, Declined | Purge | OnePurge | RecentPurges | Nodes | Document)
