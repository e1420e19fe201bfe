"""Why a purge request is not taken. PURE. RFC 9457.

Owns: the closed list of reasons with their status and what to write instead, and `Declined`. Rules: a reason's word is the
API's `reason` and the metric's label; who is declined is told which part of the request it is about, and what would be
right. What is wrong with a signature is said by edge.purge.signing.faults, in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from edge.purge.signing.faults import Refused, SignatureFault


class Reason(Enum):
    """What is wrong with a request to the purge API, besides its signature."""

    # where it goes
    NO_SUCH_PATH = "no-such-path"
    NO_SUCH_PURGE = "no-such-purge"
    WRONG_METHOD = "wrong-method"

    # how it is written
    BAD_REQUEST = "bad-request"
    BAD_QUERY = "bad-query"
    BAD_FIELD = "bad-field"
    BAD_IDEMPOTENCY_KEY = "bad-idempotency-key"
    CONTENT_TYPE = "content-type"
    CONTENT_ENCODING = "content-encoding"
    UNEXPECTED_BODY = "unexpected-body"
    BODY_TOO_LARGE = "body-too-large"
    BODY_TOO_SLOW = "body-too-slow"
    NOT_UTF_8 = "not-utf-8"
    NOT_JSON = "not-json"
    JSON_TOO_DEEP = "json-too-deep"
    MEMBER_TWICE = "member-twice"
    UNKNOWN_MEMBER = "unknown-member"
    WRONG_TYPE = "wrong-type"
    BAD_NOTE = "bad-note"

    # what it names
    NOTHING_NAMED = "nothing-named"
    TOO_MANY_ITEMS = "too-many-items"
    ORDER_TOO_LARGE = "order-too-large"
    BAD_URL = "bad-url"
    BAD_VARIANT = "bad-variant"
    BAD_TAG = "bad-tag"
    BAD_PREFIX = "bad-prefix"
    BAD_HOST = "bad-host"
    SITE_MISSING = "site-missing"
    UNKNOWN_SITE = "unknown-site"
    UNKNOWN_HOST = "unknown-host"
    OTHER_SITE = "other-site"

    # whether it can be taken now
    TOO_FAST = "too-fast"
    IDEMPOTENCY_CONFLICT = "idempotency-conflict"
    LOG_UNAVAILABLE = "log-unavailable"
    NOT_CURRENT = "not-current"
    TOO_BUSY = "too-busy"
    FAILED = "failed"


RETRY_SECONDS = 5
"""What whoever is declined for the state of the log or of the desk may wait."""


@dataclass(frozen=True, slots=True)
class Said:
    """Of a reason: the status of the answer, and what to write instead."""

    status: int
    instead: str


SAID: Mapping[Reason, Said] = MappingProxyType(
    {
        Reason.NO_SUCH_PATH: Said(404, "GET /v1/openapi.json lists what there is."),
        Reason.NO_SUCH_PURGE: Said(
            404, "The id comes from the answer to the purge; the log keeps purges for nats.max_age."
        ),
        Reason.WRONG_METHOD: Said(405, "Allow names the methods."),
        Reason.BAD_REQUEST: Said(400, "Send origin-form HTTP/1.1 with exactly one Host."),
        Reason.BAD_QUERY: Said(400, "GET /v1/openapi.json has the parameters; each at most once."),
        Reason.BAD_FIELD: Said(
            400, "Fastly-Soft-Purge is 1; Surrogate-Key is tags with spaces between; each at most once."
        ),
        Reason.BAD_IDEMPOTENCY_KEY: Said(
            400, "One Idempotency-Key of 1 to 255 visible ASCII characters, such as a UUID."
        ),
        Reason.CONTENT_TYPE: Said(415, "Send Content-Type: application/json."),
        Reason.CONTENT_ENCODING: Said(415, "Send the body as it is, without Content-Encoding."),
        Reason.UNEXPECTED_BODY: Said(400, "Send it without a body."),
        Reason.BODY_TOO_LARGE: Said(413, "Split it into several purges, or raise purge.max_body."),
        Reason.BODY_TOO_SLOW: Said(408, "Send the whole body within ten seconds."),
        Reason.NOT_UTF_8: Said(400, "JSON is UTF-8, and text in it has no lone surrogates."),
        Reason.NOT_JSON: Said(400, "One JSON object as RFC 8259 says."),
        Reason.JSON_TOO_DEEP: Said(400, "An object of lists; nothing is nested deeper."),
        Reason.MEMBER_TWICE: Said(400, "Each member once."),
        Reason.UNKNOWN_MEMBER: Said(422, "GET /v1/openapi.json has the members of each shape."),
        Reason.WRONG_TYPE: Said(422, "GET /v1/openapi.json has the type of each member."),
        Reason.BAD_NOTE: Said(422, "A note has at most 256 characters, all of them printable."),
        Reason.NOTHING_NAMED: Said(
            422, "Name at least one thing: urls, variants, tags, prefixes, hosts, sites or everything."
        ),
        Reason.TOO_MANY_ITEMS: Said(413, "Split it into several purges, or raise purge.max_items."),
        Reason.ORDER_TOO_LARGE: Said(413, "Split it into several purges of at most 512 KiB."),
        Reason.BAD_URL: Said(422, 'An absolute URL, such as "https://www.example.org/a?b=c".'),
        Reason.BAD_VARIANT: Said(
            422, '{"url": "https://www.example.org/a", "headers": {"Accept-Language": "de"}}.'
        ),
        Reason.BAD_TAG: Said(422, 'A tag as the response has it, such as "product-42".'),
        Reason.BAD_PREFIX: Said(422, 'Host and path, such as "www.example.org/blog/".'),
        Reason.BAD_HOST: Said(422, 'A host, such as "www.example.org".'),
        Reason.SITE_MISSING: Said(422, 'Say which site\'s tags they are: "site": "shop".'),
        Reason.UNKNOWN_SITE: Said(404, "The name of a site of this node, as its file has it."),
        Reason.UNKNOWN_HOST: Said(404, "A host that a site of this node serves."),
        Reason.OTHER_SITE: Said(422, "Only what belongs to the site in the path."),
        Reason.TOO_FAST: Said(429, "Wait as long as Retry-After says, or purge by tag, prefix or host."),
        Reason.IDEMPOTENCY_CONFLICT: Said(422, "Another purge takes another Idempotency-Key."),
        Reason.LOG_UNAVAILABLE: Said(503, "Retry; with the same Idempotency-Key it is the same purge."),
        Reason.NOT_CURRENT: Said(503, "Retry, or ask another node."),
        Reason.TOO_BUSY: Said(503, "Retry, with smaller purges or fewer at a time."),
        Reason.FAILED: Said(500, "This is a fault of the node; its log has more."),
    }
)

INSTEAD_OF_FAULT: Mapping[SignatureFault, str] = MappingProxyType(
    {
        SignatureFault.NO_SIGNATURE: "Sign it: `perigee sign` prints the header lines.",
        SignatureFault.REPLAYED: "Sign each request anew; a nonce is used once.",
        SignatureFault.WRONG_SCOPE: "Ask who keeps the keys, or use another key.",
    }
)
SIGN_AS_DOCUMENTED = (
    'RFC 9421 over "@method" "@target-uri", and with a body "content-digest" "content-type"; created, nonce, keyid, '
    'tag="cdn-purge".'
)


@dataclass(frozen=True, slots=True)
class Declined:
    """A request that is not taken. detail: one sentence for the caller. logged: for us, "" = the same.

    where: a JSON pointer into the body, or the name of the field or query parameter; "" = the whole. retry_after: whole
    seconds, None = trying again does not help. id: of the order that this would have been or is a copy of, "" = none is
    known; seq: where that stands in the log, 0 = not known.
    """

    reason: Reason | SignatureFault
    detail: str
    where: str = ""
    retry_after: int | None = None
    id: str = ""
    seq: int = 0
    logged: str = ""
    status: int = 0
    instead: str = ""
    word: str = ""
    """The reason as the caller is told it."""


def declined(
    reason: Reason,
    detail: str,
    where: str = "",
    *,
    retry_after: int | None = None,
    id: str = "",
    seq: int = 0,
) -> Declined:
    """With the status and the remedy of its reason."""
    said = SAID[reason]
    return Declined(
        reason,
        detail,
        where,
        retry_after,
        id,
        seq,
        status=said.status,
        instead=said.instead,
        word=reason.value,
    )


def refused(refusal: Refused, *, id: str = "", seq: int = 0) -> Declined:
    """A signature that does not hold. The caller is told what `Refused.shown` says."""
    shown = refusal.shown
    return Declined(
        refusal.fault,
        refusal.said,
        id=id,
        seq=seq,
        logged=refusal.detail,
        status=refusal.status,
        instead=INSTEAD_OF_FAULT.get(shown, SIGN_AS_DOCUMENTED),
        word=shown.value,
    )


class Unacceptable(Exception):
    """Raised within this room by what cannot be read on; readers return its `why`."""

    def __init__(self, reason: Reason, detail: str, where: str = "") -> None:
        super().__init__(detail)
        self.why = declined(reason, detail, where)
