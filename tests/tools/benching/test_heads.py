"""The measured request: as many fields as a browser sends, and one that our own parser takes."""

from __future__ import annotations

from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.request import parse_request_head
from tools.benching.heads import FIELDS, request_bytes


def test_a_request_has_fourteen_fields_and_is_well_formed():
    request = request_bytes("127.0.0.1:8080", "/a?b")
    assert request.count(b"\r\n") == 14 + 2
    parsed = parse_request_head(request, DEFAULT_LIMITS)
    assert (parsed.head.method, parsed.head.target, parsed.keep_alive) == (b"GET", b"/a?b", True)
    assert len(parsed.head.fields) == len(FIELDS) - 1, "all but Connection travel on"


def test_more_fields_stand_behind_those_of_all():
    request = request_bytes("a", "/", [("If-None-Match", '"v1"')])
    assert request.endswith(b'\r\nIf-None-Match: "v1"\r\n\r\n')


def test_a_field_may_be_replaced():
    request = request_bytes("a", "/", [("Cookie", "mine")])
    assert request.count(b"\r\n") == 14 + 2
    assert request.count(b"\r\nCookie: ") == request.count(b"\r\nCookie: mine\r\n") == 1
