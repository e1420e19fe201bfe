"""Our own error replies. RFC 9209, RFC 9211.

Owns: the errors that the server answers before or without the node; edge.replying has the one form of them all.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.errors import ClientFault, EdgeError
from edge.exchange import Exchange, Reply, Verdict
from edge.replying import error_reply
from edge.semantics.message import EMPTY, Line
from edge.semantics.reasons import Because
from edge.semantics.status import cache_status_member

if TYPE_CHECKING:
    from edge.server.listener import Answers
    from edge.server.request_body import RequestBody

_log = logging.getLogger(__name__)
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


async def of_node(node: Answers, name: bytes, exchange: Exchange, body: RequestBody | None) -> Reply:
    """The node's reply, or what we say where it has none. body: the client's, as it came in meanwhile; None = there is none."""
    try:
        reply = await node.handle(exchange)
    except EdgeError as refused:
        return error(name, refused)
    except Exception:  # noqa: BLE001  # a task boundary
        # Our own mistake costs one client a 500, not the connection its order.
        _log.exception("no reply to %s", exchange.request.line[:200])
        return error(name, EdgeError("our own mistake", status=500))
    fault = None if body is None else body.fault
    if fault is not None and reply.tunnel is None and reply.status != fault.status:
        # Nobody read that body, but what its client meant is in doubt all the same.
        reply.discard()
        return error(name, fault)
    return reply


def nobody_waits() -> Reply:
    """For the log alone: the client left before there was a reply. 499 is nginx's word for it."""
    return Reply(499, b"", EMPTY, None, None, Verdict("-", "-", detail="the client left"))
