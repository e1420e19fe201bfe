"""Our own error replies. RFC 9209, RFC 9211.

Owns: turning an EdgeError into a Reply: a short text body, `Proxy-Status` with the error's type, `Cache-Status`.
Rule: the operator's detail goes into Proxy-Status only where it says nothing about the inside (client faults); a
client never learns an origin's address.
"""

from __future__ import annotations

from http import HTTPStatus

from edge.errors import ClientFault, EdgeError
from edge.exchange import Reply, Verdict
from edge.semantics.message import EMPTY, Fields, Line
from edge.semantics.reasons import Because
from edge.semantics.status import cache_status_member, proxy_status

_TEXT: Line = (b"Content-Type", b"text/plain; charset=utf-8")
_NO_STORE: Line = (b"Cache-Control", b"no-store")
_ALLOW: Line = (b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")


def error(
    node: bytes, fault: EdgeError, *extra: Line, verdict: Verdict | None = None, cache: bytes | None = None
) -> Reply:
    """A reply for `fault`. cache: our Cache-Status member, None = one that says only that this is our own answer."""
    shown = fault.detail if isinstance(fault, ClientFault) else None
    status = fault.status
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    text = f"{status} {phrase}\n" if shown is None else f"{status} {phrase}: {shown}\n"
    body = text.encode()
    lines: tuple[Line, ...] = (
        _TEXT,
        _NO_STORE,
        (b"Cache-Status", cache if cache is not None else cache_status_member(node, detail=b"error")),
        (b"Proxy-Status", proxy_status(node, fault.proxy_status.encode(), shown.encode() if shown else None)),
        *extra,
    )
    said = verdict or Verdict("-", "-", Because.GATEWAY, detail=fault.detail)
    return Reply(status, phrase.encode(), Fields(lines), body, len(body), said)


def refusal(node: bytes, fault: ClientFault) -> Reply:
    """For a head that cannot be read: the connection closes after it."""
    extra = (_ALLOW,) if fault.status == 405 else ()  # RFC 9110 s15.5.6
    reply = error(node, fault, *extra, verdict=Verdict("-", "-", detail=fault.detail))
    reply.close = True
    return reply


def nobody_waits() -> Reply:
    """For the log alone: the client left before there was a reply. 499 is nginx's word for it."""
    return Reply(499, b"", EMPTY, None, None, Verdict("-", "-", detail="the client left"))
