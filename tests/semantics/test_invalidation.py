"""Invalidation: what an unsafe request's success makes doubtful, and nothing of anybody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.invalidation import invalidated_targets, same_origin_target
from edge.semantics.message import Authority, Fields, RequestHead
from tests.kit.stored_responses import HERE, answered, asking

METHODS = [
    # RFC 9111 s4.4, http-cache-tests invalidate-*: method, status, invalidates
    *((method, status, True) for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"M-SEARCH", b"FOO", b"post", b"get") for status in (200, 204, 302, 304, 399)),
    *((b"POST", status, False) for status in (100, 199, 400, 404, 500, 503, 999)),
    *((method, 200, False) for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"SEARCH")),
]  # fmt: skip


@pytest.mark.parametrize(("method", "status", "invalidates"), METHODS)
def test_success_of_a_method_that_is_not_safe_invalidates_the_target(method, status, invalidates):
    request = asking(method=method, target=b"/a?b")
    assert invalidated_targets(request, answered(status=status)) == (
        ((HERE, b"/a?b"),) if invalidates else ()
    )


def test_location_and_content_location_are_invalidated_too():
    response = answered((b"Location", b"/new"), (b"Content-Location", b"old"), status=201)
    request = asking(method=b"POST", target=b"/dir/form")
    assert invalidated_targets(request, response) == (
        (HERE, b"/dir/form"),
        (HERE, b"/new"),
        (HERE, b"/dir/old"),
    )


def test_each_target_is_named_once_and_other_origins_not_at_all():
    response = answered(
        (b"Location", b"/a/b?c#top"),
        (b"Content-Location", b"https://b.example/x"),
        (b"Content-Location", b"/y"),
    )
    assert invalidated_targets(asking(method=b"PUT"), response) == ((HERE, b"/a/b?c"),)


REFERENCES = [
    # RFC 3986 s5.4 with base https://a.example/b/c/d;p?q: reference, target (None = another origin, or none)
    (b"g", b"/b/c/g"),
    (b"./g", b"/b/c/g"),
    (b"g/", b"/b/c/g/"),
    (b"/g", b"/g"),
    (b"//a.example", b"/"),
    (b"//g", None),
    (b"?y", b"/b/c/d;p?y"),
    (b"g?y", b"/b/c/g?y"),
    (b"#s", b"/b/c/d;p?q"),
    (b"g#s", b"/b/c/g"),
    (b"g?y#s", b"/b/c/g?y"),
    (b";x", b"/b/c/;x"),
    (b"", b"/b/c/d;p?q"),
    (b".", b"/b/c/"),
    (b"./", b"/b/c/"),
    (b"..", b"/b/"),
    (b"../", b"/b/"),
    (b"../g", b"/b/g"),
    (b"../..", b"/"),
    (b"../../g", b"/g"),
    (b"../../../g", b"/g"),
    (b"/./g", b"/g"),
    (b"/../g", b"/g"),
    (b"g.", b"/b/c/g."),
    (b"..g", b"/b/c/..g"),
    (b"./../g", b"/b/g"),
    (b"./g/.", b"/b/c/g/"),
    (b"g/./h", b"/b/c/g/h"),
    (b"g/../h", b"/b/c/h"),
    (b"g;x=1/../y", b"/b/c/y"),
    (b"g?y/../x", b"/b/c/g?y/../x"),
    (b"g#s/../x", b"/b/c/g"),
    (b"?", b"/b/c/d;p?"),
    (b"g:h", None),
    (b"https:g", None),
    (b"https:/g", None),
    # same origin or not
    (b"https://a.example/x?", b"/x?"),
    (b"HTTPS://A.EXAMPLE:443/x", b"/x"),
    (b"https://a.example.:/x", b"/x"),
    (b"https://a.example?x", b"/?x"),
    (b"//a.example/x/../y", b"/y"),
    (b"http://a.example/x", None),
    (b"https://a.example:8443/x", None),
    (b"https://a.example:80/x", None),
    (b"https://a.example.evil/x", None),
    (b"https://a.example@evil/x", None),
    (b"https://user@a.example/x", None),
    (b"https://evil/a.example", None),
    (b"https:///x", None),
    (b"ftp://a.example/x", None),
    # bytes that no URI has
    (b"/a b", None),
    (b"/\xc3\xbc", None),
    (b"/a\\b", None),
    (b"/a\tb", None),
    (b"\\\\a.example/x", None),
    (b"/%2e%2e/x", None),
    (b"/%2F..%2Fx", b"/%2F..%2Fx"),
]


@pytest.mark.parametrize(("reference", "target"), REFERENCES)
def test_references_are_resolved_strictly(reference, target):
    assert same_origin_target(asking(target=b"/b/c/d;p?q"), reference) == target


def test_an_ipv6_origin_is_itself():
    request = RequestHead(b"PUT", Authority(b"http", b"[::1]", 8080), b"/", Fields())
    assert same_origin_target(request, b"http://[::1]:8080/x") == b"/x"
    assert same_origin_target(request, b"http://[::1]/x") is None


@given(
    st.lists(st.sampled_from([b"/", b".", b"..", b"a", b"?", b"#", b":", b"@", b"%2e"]), max_size=10).map(
        b"".join
    )
)
def test_a_resolved_target_is_a_target(reference):
    target = same_origin_target(asking(target=b"/b/c?q"), reference)
    assert target is None or (target.startswith(b"/") and b"#" not in target)
    if target is not None:
        assert same_origin_target(asking(target=b"/other"), b"//a.example" + target) == target
