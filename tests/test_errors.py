"""An error says whose fault it is, and what the client is answered."""

from __future__ import annotations

import pytest

from edge.errors import RECOMMENDED_STATUS, ClientFault, ConfigFault, EdgeError, StoreFault, UpstreamFault


@pytest.mark.parametrize(
    ("error", "status", "proxy_status"),
    [
        (EdgeError("x"), 500, "proxy_internal_error"),
        (ClientFault("x"), 400, "http_request_error"),
        (ClientFault("x", status=431), 431, "http_request_error"),
        (UpstreamFault("x"), 502, "http_protocol_error"),
        (UpstreamFault("x", proxy_status="connection_timeout"), 504, "connection_timeout"),
        (UpstreamFault("x", proxy_status="connection_limit_reached"), 503, "connection_limit_reached"),
        (StoreFault("x"), 500, "proxy_internal_error"),
        (ConfigFault("x"), 500, "proxy_configuration_error"),
    ],
)
def test_an_error_has_the_status_that_rfc_9209_recommends(error: EdgeError, status: int, proxy_status: str):
    assert (error.status, error.proxy_status, error.detail, str(error)) == (status, proxy_status, "x", "x")


def test_an_unregistered_error_type_is_our_own_mistake():
    with pytest.raises(AssertionError, match="no RFC 9209 error type"):
        UpstreamFault("x", proxy_status="gremlins")


def test_only_errors_are_recommended():
    assert all(400 <= status <= 599 for status in RECOMMENDED_STATUS.values())
