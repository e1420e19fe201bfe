"""What a caller is answered, in the shape that he spoke. PURE. RFC 9457.

Owns: `Answer` and the rendering of all answers that have a body of JSON. Rules: whoever asked in Fastly's or Cloudflare's
shape finds what that API answers where its clients look; an error is `application/problem+json` in all shapes, with the
members of ours, and beside them those that the other API has. JSON is written in ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import assert_never

from edge.purge.declined import Declined
from edge.purge.desk_recent import Ordered
from edge.purge.dialects_routes import Purge, Shape
from edge.semantics.message import Line
from edge.semantics.purge_order import PurgeOrder, encode
from edge.semantics.selectors import Selector, Tag

JSON = b"application/json"
PROBLEM = b"application/problem+json"
NO_STORE: Line = (b"Cache-Control", b"no-store")
SIGNATURE_NEEDED: Line = (
    b"Accept-Signature",
    b'purge=("@method" "@target-uri" "content-digest" "content-type");created;nonce;keyid;tag="cdn-purge"',
)
"""What a 401 asks for (RFC 9421 s5.1)."""

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. fields: without Content-Length. outcome: for the metric."""

    status: int
    fields: tuple[Line, ...]
    body: bytes
    outcome: str = "told"


def told(said: Json, *lines: Line, status: int = 200, outcome: str = "told") -> Answer:
    """Any JSON object."""
    return Answer(status, ((b"Content-Type", JSON), NO_STORE, *lines), _written(said), outcome)


def status_url(order_id: str) -> str:
    """Where it is told how far a purge has come; relative to the API."""
    return f"/v1/purges/{order_id}"


def ordered_said(ordered: Ordered) -> dict[str, object]:
    """The body of a 202, in our own shape."""
    return {
        "id": ordered.id,
        "seq": ordered.seq,
        "history": ordered.history,
        "accepted": ordered.items,
        "repeated": ordered.repeated,
        "status_url": status_url(ordered.id),
    }


def accepted(purge: Purge, items: Sequence[Selector], ordered: Ordered) -> Answer:
    """The log has it. items: of the request."""
    outcome = "repeated" if ordered.repeated else "ordered"
    match purge.shape:
        case Shape.OURS:
            location = (b"Location", status_url(ordered.id).encode())
            return told(ordered_said(ordered), location, status=202, outcome=outcome)
        case Shape.CLOUDFLARE:
            said = {"success": True, "errors": [], "messages": [], "result": {"id": ordered.id}}
            return told(said, outcome=outcome)
        case Shape.FASTLY_KEYS:
            tags = [item.tag.decode("utf-8", "backslashreplace") for item in items if isinstance(item, Tag)]
            return told(dict.fromkeys(tags, ordered.id), outcome=outcome)
        case Shape.FASTLY_KEY | Shape.FASTLY_ALL | Shape.FASTLY_URL | Shape.METHOD:
            return told({"status": "ok", "id": ordered.id}, outcome=outcome)
        case _ as never:
            assert_never(never)


def problem(why: Declined, shape: Shape | None = None, *lines: Line) -> Answer:
    """It is not taken. shape: that was spoken, None = none is known. lines: more fields, such as Allow."""
    said: dict[str, object] = {
        "title": HTTPStatus(why.status).phrase,
        "status": why.status,
        "reason": why.word,
        "detail": why.detail,
        "instead": why.instead,
    }
    if why.where:
        said["where"] = why.where
    if why.id:
        said |= {"id": why.id, "status_url": status_url(why.id)}
    if why.seq:
        said["seq"] = why.seq
    match shape:
        case Shape.CLOUDFLARE:
            errors = [{"code": why.status, "message": f"{why.word}: {why.detail}"}]
            said |= {"success": False, "errors": errors, "messages": [], "result": None}
        case Shape.FASTLY_KEY | Shape.FASTLY_KEYS | Shape.FASTLY_ALL | Shape.FASTLY_URL:
            said["msg"] = why.detail
        case Shape.OURS | Shape.METHOD | None:
            pass
        case _ as never:
            assert_never(never)
    fields: list[Line] = [(b"Content-Type", PROBLEM), NO_STORE, *lines]
    if why.retry_after is not None:
        fields.append((b"Retry-After", b"%d" % why.retry_after))
    if why.status == 401:
        fields.append(SIGNATURE_NEEDED)
    return Answer(why.status, tuple(fields), _written(said), why.word)


def order_said(order: PurgeOrder, seq: int, *, most: int) -> dict[str, object]:
    """An order for who looks back. most: how many of the things it names are written out."""
    said = json.loads(encode(order))
    return {
        "id": order.id,
        "seq": seq,
        "at": order.at,
        "by": order.by,
        "soft": order.soft,
        "note": order.note,
        "accepted": len(order.items),
        "items": said["items"][:most],
        "status_url": status_url(order.id),
    }


def _written(said: Json) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"
