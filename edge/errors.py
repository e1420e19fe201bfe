"""Whose fault it is. PURE.

Owns: the root of our exceptions and its four families. Rules: an error knows the status that a client sees (`status`)
and its Proxy-Status error type (`proxy_status`); `detail` is for operators and goes to a client only where the one who
answers says so. RFC 9209 section 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

RECOMMENDED_STATUS: Mapping[str, int] = MappingProxyType(
    {
        "dns_timeout": 504,
        "dns_error": 502,
        "destination_not_found": 500,
        "destination_unavailable": 503,
        "destination_ip_prohibited": 502,
        "destination_ip_unroutable": 502,
        "connection_refused": 502,
        "connection_terminated": 502,
        "connection_timeout": 504,
        "connection_read_timeout": 504,
        "connection_write_timeout": 504,
        "connection_limit_reached": 503,
        "tls_protocol_error": 502,
        "tls_certificate_error": 502,
        "tls_alert_received": 502,
        "http_request_error": 400,
        "http_request_denied": 403,
        "http_response_incomplete": 502,
        "http_response_header_section_size": 502,
        "http_response_header_size": 502,
        "http_response_body_size": 502,
        "http_response_trailer_section_size": 502,
        "http_response_trailer_size": 502,
        "http_response_transfer_coding": 502,
        "http_response_content_coding": 502,
        "http_response_timeout": 504,
        "http_upgrade_failed": 502,
        "http_protocol_error": 502,
        "proxy_internal_response": 500,
        "proxy_internal_error": 500,
        "proxy_configuration_error": 500,
        "proxy_loop_detected": 502,
    }
)
"""Every registered error type, with the status that RFC 9209 s2.3 recommends (400 where it says 4xx)."""


class EdgeError(Exception):
    """The root. detail: one line, without secrets, saying what happened to what.

    status: what a client is answered, None = what RFC 9209 recommends for `proxy_status`.
    proxy_status: an RFC 9209 error type, None = the family's own.
    """

    usual: ClassVar[str] = "proxy_internal_error"

    def __init__(self, detail: str, *, proxy_status: str | None = None, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.proxy_status = self.usual if proxy_status is None else proxy_status
        recommended = RECOMMENDED_STATUS.get(self.proxy_status)
        assert recommended is not None, f"{self.proxy_status!r} is no RFC 9209 error type"
        self.status = recommended if status is None else status


class ClientFault(EdgeError):
    """The request is malformed, ambiguous, too large, or came too slowly."""

    usual = "http_request_error"


class UpstreamFault(EdgeError):
    """The next tier or the origin could not be reached, or what it said cannot be relied on."""

    usual = "http_protocol_error"


class StoreFault(EdgeError):
    """Our own store failed or holds something damaged; for a client it is a miss, not an error."""

    usual = "proxy_internal_error"


class ConfigFault(EdgeError):
    """What the operator wrote cannot be used; detail names the file, the line, the setting, and what to write."""

    usual = "proxy_configuration_error"
