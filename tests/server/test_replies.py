"""Our own errors as clients see them. RFC 9209, RFC 9110 s15.5.6."""

from __future__ import annotations

import pytest

from edge.errors import RECOMMENDED_STATUS, ClientFault, EdgeError, StoreFault, UpstreamFault
from edge.server import replies


@pytest.mark.parametrize(
    "fault,status,proxy_status",
    [
        (ClientFault("malformed Host"), 400, b'edge;error=http_request_error;details="malformed Host"'),
        (ClientFault("too large", status=413), 413, b'edge;error=http_request_error;details="too large"'),
        (
            UpstreamFault("10.0.0.1:80 refused", proxy_status="connection_refused"),
            502,
            b"edge;error=connection_refused",
        ),
        (
            UpstreamFault("late", proxy_status="connection_read_timeout"),
            504,
            b"edge;error=connection_read_timeout",
        ),
        (StoreFault("/var/x is full"), 500, b"edge;error=proxy_internal_error"),
        (EdgeError("odd", status=599), 599, b"edge;error=proxy_internal_error"),
    ],
)
def test_an_error_says_whose_fault_it_is_and_nothing_of_the_inside(
    fault: EdgeError, status: int, proxy_status: bytes
):
    reply = replies.error(b"edge", fault)
    assert reply.status == status
    assert reply.fields.get(b"proxy-status") == proxy_status
    assert reply.fields.get(b"cache-control") == b"no-store"
    assert isinstance(reply.body, bytes)
    assert reply.length == len(reply.body)
    shown = fault.detail.encode() in reply.body
    assert shown is isinstance(fault, ClientFault)
    assert reply.verdict.detail == fault.detail
    assert not reply.close


@pytest.mark.parametrize("token", sorted(RECOMMENDED_STATUS))
def test_every_kind_of_fault_can_be_answered(token: str):
    reply = replies.error(b"edge", UpstreamFault("x", proxy_status=token))
    assert reply.status == RECOMMENDED_STATUS[token]


def test_after_a_refusal_the_connection_closes_and_a_method_not_offered_is_told_which_are():
    assert replies.refusal(b"edge", ClientFault("x")).close
    assert replies.refusal(b"edge", ClientFault("x")).fields.get(b"allow") is None
    allow = replies.refusal(b"edge", ClientFault("x", status=405)).fields.get(b"allow")
    assert allow is not None
    assert b"GET" in allow.split(b", ")
    assert b"TRACE" not in allow


def test_who_left_gets_nothing():
    reply = replies.nobody_waits()
    assert (reply.status, reply.body) == (499, None)
