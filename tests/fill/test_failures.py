"""Each way to fail has its RFC 9209 word."""

import ssl

import pytest

from edge.fill.exchange import Exchange
from edge.fill.failures import broken, unreachable
from edge.fill.upstream import UpstreamRequest
from edge.semantics.message import EMPTY
from edge.semantics.rules import Timeouts
from edge.wire.body import LengthDecoder


def tls_error(reason: str) -> ssl.SSLError:
    return ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()} (_ssl.c:1006)")


@pytest.mark.parametrize(
    "error,token,status",
    [
        (ConnectionRefusedError(), "connection_refused", 502),
        (ConnectionResetError(), "connection_terminated", 502),
        (TimeoutError(), "connection_timeout", 504),
        (OSError(113, "No route to host"), "destination_ip_unroutable", 502),
        (FileNotFoundError(2, "No such file"), "destination_ip_unroutable", 502),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls_certificate_error", 502),
        (tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), "tls_alert_received", 502),
        (tls_error("WRONG_VERSION_NUMBER"), "tls_protocol_error", 502),
    ],
)
def test_what_kept_us_from_connecting(error: OSError, token: str, status: int):
    fault = unreachable("192.0.2.1:443", error)
    assert (fault.proxy_status, fault.status) == (token, status)
    assert "192.0.2.1:443" in fault.detail


async def test_where_a_connection_broke():
    exchange = Exchange(UpstreamRequest(b"GET", b"/", b"h.test", EMPTY), Timeouts(), None, total_at=0.0)
    assert broken(None, None).proxy_status == "connection_terminated"
    assert broken(exchange, ConnectionResetError()).proxy_status == "connection_terminated"
    assert broken(exchange, tls_error("BAD_RECORD")).proxy_status == "tls_protocol_error"
    exchange.has_bytes = True
    assert "head" in broken(exchange, None).detail
    exchange.decoder = LengthDecoder(5)
    fault = broken(exchange, ConnectionResetError())
    assert (fault.proxy_status, "body" in fault.detail) == ("http_response_incomplete", True)
