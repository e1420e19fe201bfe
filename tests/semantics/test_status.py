"""Cache-Status and Proxy-Status: strict structured fields, one member each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RECOMMENDED_STATUS
from edge.semantics.message import Fields
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.status import (
    ERROR_TYPES,
    append_cache_status,
    cache_status_member,
    hit_member,
    identifier,
    proxy_status,
)
from edge.semantics.structured import Item, Token, parse_list, render_list

MEMBERS = [
    # RFC 9211 s2, s3: arguments, member
    ({}, b"fra-1"),
    ({"hit": True}, b"fra-1;hit"),
    ({"hit": True, "ttl": 376.9}, b"fra-1;hit;ttl=376"),
    ({"hit": True, "ttl": -411.5}, b"fra-1;hit;ttl=-412"),
    ({"hit": True, "ttl": 1e30}, b"fra-1;hit;ttl=999999999999999"),
    ({"hit": True, "stored": True, "collapsed": True, "fwd_status": 200}, b"fra-1;hit"),
    ({"fwd": Forwarded.URI_MISS}, b"fra-1;fwd=uri-miss"),
    ({"fwd": Forwarded.STALE, "fwd_status": 304}, b"fra-1;fwd=stale;fwd-status=304"),
    (
        {"fwd": Forwarded.URI_MISS, "collapsed": True, "stored": True, "ttl": 0.0},
        b"fra-1;fwd=uri-miss;ttl=0;stored;collapsed",
    ),
    ({"key": b'a"\\\xff\n'}, b'fra-1;key="a\\"\\\\??"'),
    ({"detail": Because.VARY_STAR}, b"fra-1;detail=vary-star"),
    ({"detail": b"error"}, b"fra-1;detail=error"),
    ({"detail": b"two words"}, b'fra-1;detail="two words"'),
]


@pytest.mark.parametrize(("arguments", "member"), MEMBERS)
def test_a_member_says_what_happened(arguments, member):
    assert cache_status_member(b"fra-1", **arguments) == member


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (b"fra-edge-1", b"fra-edge-1"),
        (b"a.example:80", b"a.example:80"),
        (b"1st", b'"1st"'),
        (b"my node", b'"my node"'),
        (b"", b'""'),
        (b'a"b\\', b'"a\\"b\\\\"'),
        (b"caf\xc3\xa9", b'"caf??"'),
    ],
)
def test_a_name_is_a_token_or_a_string(name, written):
    assert identifier(name) == written


@given(
    st.binary(max_size=8),
    st.booleans(),
    st.none() | st.sampled_from(Forwarded),
    st.none() | st.floats(-1e18, 1e18),
    st.none() | st.binary(max_size=8),
    st.none() | st.sampled_from(Because) | st.binary(max_size=8),
)
def test_every_member_is_a_structured_field_in_canonical_form(node, hit, fwd, ttl, key, detail):
    hit = hit and fwd is None
    member = cache_status_member(
        node, hit=hit, fwd=fwd, fwd_status=200, ttl=ttl, stored=True, collapsed=True, key=key, detail=detail
    )
    parsed = parse_list(member)
    assert render_list(parsed) == member
    (item,) = parsed
    assert isinstance(item, Item)
    said = dict(item.parameters)
    assert (said.get("hit") is True) is hit
    assert said.get("fwd") == (None if fwd is None else Token(fwd.value))
    assert ("stored" in said, "collapsed" in said) == (fwd is not None, fwd is not None)


@given(st.floats(-1e6, 1e6), st.sampled_from(Because))
def test_the_quick_form_of_a_hit_is_the_long_one(ttl, because):
    assert hit_member(b"fra-1", ttl, because) == cache_status_member(
        b"fra-1", hit=True, ttl=ttl, detail=because
    )


def test_a_hit_does_not_go_forward():
    with pytest.raises(AssertionError):
        cache_status_member(b"fra-1", hit=True, fwd=Forwarded.MISS)


def test_our_member_stands_behind_those_from_behind_us():
    fields = Fields([(b"Cache-Status", b"shield;hit"), (b"X", b"1")])
    combined = append_cache_status(fields, b"fra-1;fwd=uri-miss").combined(b"cache-status")
    assert combined == b"shield;hit, fra-1;fwd=uri-miss"
    assert len(parse_list(combined)) == 2


def test_error_types_are_the_registered_ones():
    assert {name.decode() for name in ERROR_TYPES} == set(RECOMMENDED_STATUS)
    with pytest.raises(AssertionError):
        proxy_status(b"fra-1", b"out_of_luck")


@pytest.mark.parametrize(
    ("arguments", "member"),
    [
        ((b"fra-1", b"dns_timeout"), b"fra-1;error=dns_timeout"),
        ((b"fra-1", b"http_request_error", b'space before "colon"'), b'fra-1;error=http_request_error;details="space before \\"colon\\""'),
        ((b"my node", b"http_protocol_error", b"\xff"), b'"my node";error=http_protocol_error;details="?"'),
    ],
)  # fmt: skip
def test_proxy_status_names_the_error(arguments, member):
    assert proxy_status(*arguments) == member
    assert render_list(parse_list(member)) == member


def test_proxy_status_may_say_what_the_origin_said():
    assert proxy_status(b"fra-1", b"http_protocol_error", received_status=200) == (
        b"fra-1;error=http_protocol_error;received-status=200"
    )
