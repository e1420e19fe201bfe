"""Our own error replies. RFC 9209, RFC 9211.

Owns: the errors that the server answers before or without the node; edge.replying has the one form of them all.
"""

from __future__ import annotations

from edge.errors import ClientFault, EdgeError
from edge.exchange import Reply, Verdict
from edge.replying import error_reply
from edge.semantics.message import EMPTY, Line
from edge.semantics.reasons import Because
from edge.semantics.status import cache_status_member

_ALLOW: Line = (b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")


def error(node: bytes, fault: EdgeError, *extra: Line, verdict: Verdict | None = None) -> Reply:
    """A reply for `fault`, which the node had no part in."""
    said = verdict or Verdict("-", "-", Because.GATEWAY, detail=fault.detail)
    return error_reply(node, fault, said, cache_status_member(node, detail=b"error"), *extra)


def refusal(node: bytes, fault: ClientFault) -> Reply:
    """For a head that cannot be read: the connection closes after it."""
    extra = (_ALLOW,) if fault.status == 405 else ()  # RFC 9110 s15.5.6
    reply = error(node, fault, *extra, verdict=Verdict("-", "-", detail=fault.detail))
    reply.close = True
    return reply


def nobody_waits() -> Reply:
    """For the log alone: the client left before there was a reply. 499 is nginx's word for it."""
    return Reply(499, b"", EMPTY, None, None, Verdict("-", "-", detail="the client left"))
