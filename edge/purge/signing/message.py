"""The request that is signed or verified. PURE. RFC 9421 section 2.

Owns: `Message`, made by the API, by the public port (PURGE) and by clients alike. Rules: the target is the bytes that were
sent; scheme and authority are those that the client addressed, whatever a proxy of ours in between speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.semantics.message import Authority, Fields, RequestHead


@dataclass(frozen=True, slots=True)
class Message:
    """A request with its body.

    target: raw origin-form, path and query as sent. fields: as sent; a value has no white space around it. body: whole,
    b"" = none.
    """

    method: bytes
    authority: Authority
    target: bytes
    fields: Fields
    body: bytes = b""

    @classmethod
    def of(cls, head: RequestHead, body: bytes = b"") -> Message:
        """From a head that the edge has read."""
        return cls(head.method, head.authority, head.target, head.fields, body)
