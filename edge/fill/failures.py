"""What broke, in RFC 9209's words.

Owns: the mapping of a connection's end and of a failed attempt to connect to an `UpstreamFault` with the right
Proxy-Status error type (RFC 9209 s2.3). Details name what happened, never what was sent.
"""

from __future__ import annotations

import ssl

from edge.errors import UpstreamFault
from edge.fill.exchange import Exchange


def broken(exchange: Exchange | None, error: Exception | None) -> UpstreamFault:
    """The connection ended while `exchange` was under way. error: as asyncio reports it, None = cleanly."""
    how = "closed" if error is None else f"broke ({type(error).__name__})"
    if isinstance(error, ssl.SSLError):
        return UpstreamFault(f"TLS failed: {error}", proxy_status=tls_token(error))
    if exchange is None or not exchange.has_bytes:
        return UpstreamFault(f"the connection {how} before any answer", proxy_status="connection_terminated")
    where = "head" if exchange.decoder is None else "body"
    return UpstreamFault(
        f"the connection {how} within the response's {where}", proxy_status="http_response_incomplete"
    )


def tls_token(error: ssl.SSLError) -> str:
    """The error type of a failed handshake or record."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls_certificate_error"
    if "ALERT" in str(error):
        return "tls_alert_received"
    return "tls_protocol_error"


def unreachable(address: str, error: Exception) -> UpstreamFault:
    """Connecting to `address` failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = f"the certificate of {address} is not valid: {error}"
        return UpstreamFault(detail, proxy_status="tls_certificate_error")
    if isinstance(error, ssl.SSLError):
        return UpstreamFault(f"TLS with {address} failed: {error}", proxy_status=tls_token(error))
    if isinstance(error, TimeoutError):
        return UpstreamFault(f"no connection to {address} in time", proxy_status="connection_timeout")
    if isinstance(error, ConnectionRefusedError):
        return UpstreamFault(f"{address} refused the connection", proxy_status="connection_refused")
    if isinstance(error, ConnectionError):
        return UpstreamFault(f"{address} broke the connection", proxy_status="connection_terminated")
    return UpstreamFault(f"{address} cannot be reached: {error}", proxy_status="destination_ip_unroutable")
