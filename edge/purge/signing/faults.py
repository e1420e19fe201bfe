"""Why a signed request is refused. PURE. RFC 9421, RFC 9530.

Owns: the closed list of faults, a sentence and a status for each, and `Refused`. Rules: a fault's word is the metric's
label and the API's reason; but a caller is not told what would say which keys there are: `Refused.shown` is one word for
an unknown key, a key of another algorithm and a wrong signature, and nobody hears of a key's state who cannot sign with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

MAX_DETAIL = 200
"""Characters: a detail may quote the request, and goes into the log."""


class SignatureFault(Enum):
    """What is wrong with a signed request; a sentence each in `SENTENCE`."""

    # how it is written
    NO_SIGNATURE = "no-signature"
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    UNSUPPORTED_COMPONENT = "unsupported-component"
    SEVERAL_SIGNATURES = "several-signatures"
    WRONG_TAG = "wrong-tag"

    # what it covers
    MISSING_COMPONENT = "missing-component"
    DIGEST_MISSING = "digest-missing"
    DIGEST_MALFORMED = "digest-malformed"
    DIGEST_MISMATCH = "digest-mismatch"

    # when it holds
    NO_CREATED = "no-created"
    FROM_THE_FUTURE = "from-the-future"
    TOO_OLD = "too-old"
    EXPIRED = "expired"
    NO_NONCE = "no-nonce"
    BAD_NONCE = "bad-nonce"
    REPLAYED = "replayed"

    # who made it
    NO_KEYID = "no-keyid"
    UNKNOWN_KEY = "unknown-key"
    ALGORITHM_MISMATCH = "algorithm-mismatch"
    BAD_SIGNATURE = "bad-signature"
    REVOKED_KEY = "revoked-key"
    KEY_NOT_YET_VALID = "key-not-yet-valid"
    KEY_NO_LONGER_VALID = "key-no-longer-valid"
    WRONG_SCOPE = "wrong-scope"


SENTENCE: Mapping[SignatureFault, str] = MappingProxyType(
    {
        SignatureFault.NO_SIGNATURE: "There is neither Signature-Input nor Signature.",
        SignatureFault.MALFORMED: "Signature-Input or Signature is not as RFC 9421 and RFC 9651 say, or they do not match.",
        SignatureFault.TOO_LARGE: "Signature-Input, Signature or Content-Digest is longer than is allowed, or has too many "
        "members or components.",
        SignatureFault.UNSUPPORTED_COMPONENT: "It covers a component, or a component with a parameter, that is not supported "
        "here.",
        SignatureFault.SEVERAL_SIGNATURES: "More than one signature has the tag of purges; exactly one is taken.",
        SignatureFault.WRONG_TAG: "No signature has the tag of purges.",
        SignatureFault.MISSING_COMPONENT: "It does not cover all that a purge must cover, or covers what the request lacks.",
        SignatureFault.DIGEST_MISSING: "There is a body, and no Content-Digest by sha-256 or sha-512.",
        SignatureFault.DIGEST_MALFORMED: "Content-Digest is not as RFC 9530 says.",
        SignatureFault.DIGEST_MISMATCH: "Content-Digest is that of another body.",
        SignatureFault.NO_CREATED: "The signature has no `created`.",
        SignatureFault.FROM_THE_FUTURE: "`created` is later than our clock and the skew that is allowed.",
        SignatureFault.TOO_OLD: "`created` is longer ago than is allowed.",
        SignatureFault.EXPIRED: "`expires` has passed.",
        SignatureFault.NO_NONCE: "The signature has no `nonce`.",
        SignatureFault.BAD_NONCE: "`nonce` is shorter or longer than is allowed.",
        SignatureFault.REPLAYED: "The key has used this nonce before, or so long ago that it is not known.",
        SignatureFault.NO_KEYID: "The signature has no `keyid`.",
        SignatureFault.UNKNOWN_KEY: "No key has that id. (A caller is told bad-signature.)",
        SignatureFault.ALGORITHM_MISMATCH: "`alg` is not the key's algorithm. (A caller is told bad-signature.)",
        SignatureFault.BAD_SIGNATURE: "The signature is not that of this request by this key.",
        SignatureFault.REVOKED_KEY: "The key is revoked.",
        SignatureFault.KEY_NOT_YET_VALID: "The key's `not_before` is still to come.",
        SignatureFault.KEY_NO_LONGER_VALID: "The key's `not_after` has passed.",
        SignatureFault.WRONG_SCOPE: "The key may not purge this.",
    }
)

_BAD_REQUEST = frozenset(
    {
        SignatureFault.MALFORMED,
        SignatureFault.TOO_LARGE,
        SignatureFault.UNSUPPORTED_COMPONENT,
        SignatureFault.SEVERAL_SIGNATURES,
        SignatureFault.DIGEST_MALFORMED,
    }
)
_HIDDEN = frozenset(
    {SignatureFault.UNKNOWN_KEY, SignatureFault.ALGORITHM_MISMATCH, SignatureFault.BAD_SIGNATURE}
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not taken. detail: one line for the log, without secrets. keyid: as claimed, None = not known."""

    fault: SignatureFault
    detail: str
    keyid: str | None = None

    @property
    def shown(self) -> SignatureFault:
        """The fault that the caller is told."""
        return SignatureFault.BAD_SIGNATURE if self.fault in _HIDDEN else self.fault

    @property
    def said(self) -> str:
        """The detail that the caller is told."""
        return SENTENCE[self.shown] if self.fault in _HIDDEN else self.detail

    @property
    def status(self) -> int:
        """The HTTP status of the answer: 400, 401, 403 or 409."""
        if self.fault in _BAD_REQUEST:
            return 400
        if self.fault is SignatureFault.WRONG_SCOPE:
            return 403
        return 409 if self.fault is SignatureFault.REPLAYED else 401


class Rejected(Exception):
    """Raised within this room by what cannot go on; `verify` returns its `refused`. detail: what is long in it is cut."""

    def __init__(self, fault: SignatureFault, detail: str) -> None:
        super().__init__(detail)
        self.refused = Refused(fault, detail[:MAX_DETAIL])
