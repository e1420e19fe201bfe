"""How a message's body is delimited. PURE. RFC 9112 section 6.3.

Owns: the closed union `Framing`. One value is made by the head parsers and used by the body decoders and the writer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoBody:
    """There is none (GET without fields that announce one, HEAD's answer, 1xx, 204, 304)."""


@dataclass(frozen=True, slots=True)
class Length:
    """Exactly `size` bytes (Content-Length)."""

    size: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """Transfer-Encoding: chunked."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """A response that ends with its connection; never a request."""


Framing = NoBody | Length | Chunked | UntilClose

NO_BODY = NoBody()
CHUNKED = Chunked()
UNTIL_CLOSE = UntilClose()
