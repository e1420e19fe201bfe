"""Is this purge request what a key of ours signed, just now, for us? PURE. RFC 9421 section 3.2.

Owns: `Policy`, `Verified` and `verify`. Rules: what has to be covered is our policy, not the sender's choice: @method; where
it goes, as @target-uri or as @authority, @path and @query; of a body, content-digest and content-type; and every field of
`Policy.covered_when_present` that the request has, so that nobody adds one on the way. First comes all that can be said
without looking at a key, then the signature, and only who signed rightly is told of the key's state.

Whether a nonce was used is not asked here but of `nonces.Nonces`, when the order is about to be made; nor what the key may
purge (`keys.allows`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.purge.signing.algorithms import verify_base
from edge.purge.signing.claimed import Claimed, read_claimed
from edge.purge.signing.components import signature_base
from edge.purge.signing.digest import check_digest
from edge.purge.signing.faults import Refused, Rejected, SignatureFault
from edge.purge.signing.keys import Key, KeyRing, KeyState
from edge.purge.signing.message import Message

TAG = "cdn-purge"

MAX_KEYID = 64
"""Characters that go into the log; no key has a longer id."""

MEANINGFUL = frozenset((b"content-encoding", b"fastly-soft-purge", b"idempotency-key", b"surrogate-key"))
"""Fields that change what a purge means."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of a signature. max_age, skew: seconds. min_nonce, max_nonce: characters.

    Defaults: five minutes from signing to arrival, so that a script may retry; half a minute between two clocks that NTP
    keeps; 64 bits of chance in a nonce at the least.
    """

    max_age: float = 300.0
    skew: float = 30.0
    tag: str = TAG
    min_nonce: int = 11
    max_nonce: int = 64
    covered_when_present: frozenset[bytes] = MEANINGFUL
    """Lower-case field names."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A request that its key has signed, within the time it has. created: unix seconds. nonce: not yet checked for replay."""

    key: Key
    nonce: str
    created: int
    covered: frozenset[str]
    """Names of the components."""


def verify(message: Message, ring: KeyRing, now: float, policy: Policy = Policy()) -> Verified | Refused:
    """Verify a request. now: unix seconds by the wall clock that created and expires are judged by."""
    claimed: Claimed | None = None
    try:
        claimed = read_claimed(message.fields, policy.tag)
        covered = _covered(claimed, message, policy)
        base = signature_base(claimed.params, message)
        created = _check_times(claimed, now, policy)
        nonce = _nonce(claimed, policy)
        check_digest(message.fields, message.body)
        key = _signer(claimed, base, ring, now)
    except Rejected as rejected:
        keyid = None if claimed is None or claimed.keyid is None else claimed.keyid[:MAX_KEYID]
        return replace(rejected.refused, keyid=keyid)
    return Verified(key, nonce, created, covered)


def _covered(claimed: Claimed, message: Message, policy: Policy) -> frozenset[str]:
    plain = frozenset(str(item.value) for item in claimed.params.items if not item.parameters)
    missing = {"@method"} - plain
    if "@target-uri" not in plain:
        missing |= {"@authority", "@path", "@query"} - plain
        if not missing and message.target.endswith(b"?") and message.target.count(b"?") == 1:
            missing.add("@target-uri")  # @query is "?" for `/a` and for `/a?`, which are two resources
    if message.body:
        missing |= {"content-digest", "content-type"} - plain
        if b"content-digest" not in message.fields:
            raise Rejected(SignatureFault.DIGEST_MISSING, "the request has a body and no Content-Digest")
    missing |= {
        name.decode("ascii") for name in policy.covered_when_present if name in message.fields
    } - plain
    if missing:
        raise Rejected(SignatureFault.MISSING_COMPONENT, f"it does not cover {', '.join(sorted(missing))}")
    return plain


def _check_times(claimed: Claimed, now: float, policy: Policy) -> int:
    created = claimed.created
    if created is None:
        raise Rejected(SignatureFault.NO_CREATED, "the signature does not say when it was created")
    if created > now + policy.skew:
        raise Rejected(
            SignatureFault.FROM_THE_FUTURE,
            f"created is {created - now:.0f} s ahead; {policy.skew:.0f} s are allowed",
        )
    if now - created > policy.max_age:
        raise Rejected(
            SignatureFault.TOO_OLD,
            f"created is {now - created:.0f} s ago; {policy.max_age:.0f} s are allowed",
        )
    if claimed.expires is not None and now > claimed.expires:
        raise Rejected(SignatureFault.EXPIRED, f"the signature expired {now - claimed.expires:.0f} s ago")
    return created


def _nonce(claimed: Claimed, policy: Policy) -> str:
    nonce = claimed.nonce
    if nonce is None:
        raise Rejected(SignatureFault.NO_NONCE, "the signature has no nonce")
    if not policy.min_nonce <= len(nonce) <= policy.max_nonce:
        allowed = f"{policy.min_nonce} to {policy.max_nonce} are allowed"
        raise Rejected(SignatureFault.BAD_NONCE, f"the nonce has {len(nonce)} characters; {allowed}")
    return nonce


def _signer(claimed: Claimed, base: bytes, ring: KeyRing, now: float) -> Key:
    if claimed.keyid is None:
        raise Rejected(SignatureFault.NO_KEYID, "the signature does not say whose it is")
    key = ring.get(claimed.keyid)
    fits = verify_base(key, base, claimed.signature)
    if key is None:
        raise Rejected(SignatureFault.UNKNOWN_KEY, "no key has that id")
    if claimed.alg is not None and claimed.alg != key.algorithm.value:
        raise Rejected(
            SignatureFault.ALGORITHM_MISMATCH, f"alg is {claimed.alg!a:.40}, the key is {key.algorithm.value}"
        )
    if not fits:
        raise Rejected(SignatureFault.BAD_SIGNATURE, "the signature does not fit")
    if key.state is KeyState.REVOKED:
        raise Rejected(SignatureFault.REVOKED_KEY, "the key is revoked")
    if key.not_before is not None and now < key.not_before:
        raise Rejected(SignatureFault.KEY_NOT_YET_VALID, "the key is not valid yet")
    if key.not_after is not None and now > key.not_after:
        raise Rejected(SignatureFault.KEY_NO_LONGER_VALID, "the key is not valid any more")
    return key
