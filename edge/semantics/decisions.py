"""What the two decisions can say: `Reuse` and `FillFor`. PURE.

Closed unions of frozen values; every consumer matches to the end (`assert_never`). DESIGN section 3.
"""

from __future__ import annotations

from edge.semantics.message import ResponseHead
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.stored import StoredResponse
from edge.values import value


@value(frozen=True, slots=True)
class Doubt:
    """Why a stored response is not to be trusted by its freshness: this node cannot vouch that no purge names it.

    is_served: the site wants it used all the same. may_stand_in: it may answer where the next tier fails.
    """

    because: Because
    is_served: bool = False
    may_stand_in: bool = True


@value(frozen=True, slots=True)
class Serve:
    """Answer from `stored`, which is fresh (or the request accepts its staleness).

    age: seconds with their fraction; the Age field is its whole part.
    """

    stored: StoredResponse
    age: float
    because: Because


@value(frozen=True, slots=True)
class ServeStale:
    """Answer from `stored` though it is stale, and revalidate it in the background, once per key."""

    stored: StoredResponse
    age: float
    because: Because


@value(frozen=True, slots=True)
class Forward:
    """Go to the next tier. validating: stored responses whose validators go along, () = an unconditional request.

    fwd: the RFC 9211 token. collapse: may be joined with others under way for the same key.
    fallback: what may be served if the next tier fails (stale-if-error), None = nothing; checked again at that time.
    """

    fwd: Forwarded
    because: Because
    validating: tuple[StoredResponse, ...] = ()
    collapse: bool = True
    fallback: StoredResponse | None = None


@value(frozen=True, slots=True)
class Refuse:
    """Answer with an error of our own: 504 for only-if-cached."""

    status: int
    because: Because


Reuse = Serve | ServeStale | Forward | Refuse


@value(frozen=True, slots=True)
class Store:
    """Store it (body to come) and relay it. `stored.body_length` is 0 until the body is complete."""

    stored: StoredResponse
    because: Because = Because.STORED


@value(frozen=True, slots=True)
class Freshen:
    """A 304 (or HEAD) updated these stored responses; the first one answers the request. RFC 9111 s4.3.4."""

    freshened: tuple[tuple[StoredResponse, StoredResponse], ...]
    """(old, new) pairs; new keeps the old body_id."""
    selected: StoredResponse
    because: Because = Because.FRESHENED


@value(frozen=True, slots=True)
class ServeStaleInstead:
    """The origin answered 5xx; serve this instead (RFC 5861 s4)."""

    stored: StoredResponse
    because: Because = Because.STALE_IF_ERROR


@value(frozen=True, slots=True)
class RetryUnconditional:
    """A 304 came that names nothing we hold: ask once more without validators (RFC 9111 s4.3.3)."""

    because: Because = Because.UNASKED_NOT_MODIFIED


@value(frozen=True, slots=True)
class Relay:
    """Pass it on, store nothing. shareable: False = it must not answer other collapsed requests."""

    because: Because
    forget: tuple[StoredResponse, ...] = ()
    """Stored responses that this answer shows to be wrong and that are dropped."""


FillFor = Store | Freshen | ServeStaleInstead | RetryUnconditional | Relay


@value(frozen=True, slots=True)
class Answer:
    """What goes to the client from a stored response after preconditions and ranges: a head and which body bytes.

    spans: None = the whole body; () = no body (304, 412, 416, HEAD); else [(start, stop), ...] byte spans in order, with
    `preambles[i]` written before span i and `closing` after the last (multipart/byteranges), all empty for one span.
    length: Content-Length of what is sent.
    """

    head: ResponseHead
    spans: tuple[tuple[int, int], ...] | None
    length: int
    preambles: tuple[bytes, ...] = ()
    closing: bytes = b""
