"""A request is taken when its key has signed all of it just now; else it is refused with the one right reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.purge.signing.digest import content_digest
from edge.purge.signing.faults import Refused, SignatureFault
from edge.purge.signing.keys import KeyRing, KeyState
from edge.purge.signing.message import Message
from edge.purge.signing.sign import SigningKey, SigningOptions
from edge.purge.signing.verify import Policy, Verified, verify
from edge.semantics.message import Authority, UnixSeconds
from tests.kit.signed import (
    BODY,
    NONCE,
    NOW,
    OTHER,
    RING,
    SHARED,
    SIGNING,
    edited,
    held,
    signed,
    substituted,
    unsigned,
    with_lines,
)

Fault = SignatureFault


def covering(*components: str, body: bytes = BODY, url: str | None = None) -> Message:
    message = unsigned(body) if url is None else unsigned(body, url=url)
    return signed(message, options=SigningOptions(components=components))


TAKEN = {
    "a POST with a body": signed(),
    "a shared secret": signed(key=SHARED),
    "no body": signed(unsigned(b"")),
    "a GET": signed(unsigned(b"", method="GET", url="https://edge.example/v1/purges")),
    "a PURGE": signed(unsigned(b"", method="PURGE", url="http://shop.example:8080/a/b?c=%2F")),
    "without alg": signed(options=SigningOptions(alg=False)),
    "with expires": signed(options=SigningOptions(expires_after=1)),
    "authority, path and query": covering("@method", "@authority", "@path", "@query", "content-digest", "content-type"),
    "more than is asked": covering("@target-uri", "@scheme", "@request-target", "content-type", "@method", "content-digest"),
    "meaningful fields": signed(unsigned(b"", method="PURGE", lines=((b"Fastly-Soft-Purge", b"1"), (b"Surrogate-Key", b"a b")))),
    "a proxy's signature beside it": with_lines(
        signed(),
        (b"Signature-Input", b'proxy=("@path");created=1;keyid="p"'),
        (b"Signature", b"proxy=:AAAA:"),
    ),
    "a header nobody signed": with_lines(signed(), (b"X-Request-Id", b"1")),
}  # fmt: skip


@pytest.mark.parametrize("message", TAKEN.values(), ids=TAKEN)
def test_what_is_signed_is_verified(message: Message):
    verified = verify(message, RING, NOW)
    assert isinstance(verified, Verified), verified
    assert (verified.nonce, verified.created) == (NONCE, NOW)
    assert verified.key.id in {"deploy", "shared"}
    assert "@method" in verified.covered


def respelled(message: Message, old: bytes, new: bytes) -> Message:
    return substituted(message, b"signature-input", old, new)


def signed_with_public_key_as_secret() -> Message:
    confused = SigningKey("deploy", SHARED.algorithm, held(SIGNING).material)
    return signed(key=confused)


SOFT = (b"Fastly-Soft-Purge", b"1")

REFUSED = [
    # how it is written
    ("no signature", unsigned(), Fault.NO_SIGNATURE),
    ("malformed", edited(signed(), {b"signature-input": b"purge=("}), Fault.MALFORMED),
    ("too large", edited(signed(), {b"signature-input": b"purge=()" + b" " * 65_536}), Fault.TOO_LARGE),
    ("an unsupported component", respelled(signed(), b'"content-type")', b'"content-type" "host";sf)'), Fault.UNSUPPORTED_COMPONENT),
    ("two of ours", with_lines(signed(), (b"Signature-Input", b'b=();tag="cdn-purge"'), (b"Signature", b"b=:AAAA:")), Fault.SEVERAL_SIGNATURES),
    ("another tag", signed(options=SigningOptions(tag="web-bot-auth")), Fault.WRONG_TAG),
    ("no tag", signed(options=SigningOptions(tag=None)), Fault.WRONG_TAG),
    # what it covers
    ("the method not", covering("@target-uri", "content-digest", "content-type"), Fault.MISSING_COMPONENT),
    ("the target not", covering("@method", "content-digest", "content-type"), Fault.MISSING_COMPONENT),
    ("the authority not", covering("@method", "@path", "@query", "content-digest", "content-type"), Fault.MISSING_COMPONENT),
    ("the path not", covering("@method", "@authority", "@query", "content-digest", "content-type"), Fault.MISSING_COMPONENT),
    ("the query not", covering("@method", "@authority", "@path", "content-digest", "content-type"), Fault.MISSING_COMPONENT),
    ("the request target alone", covering("@method", "@request-target", "content-digest", "content-type"), Fault.MISSING_COMPONENT),
    ("an empty query is not told from none", covering("@method", "@authority", "@path", "@query", body=b"", url="https://edge.example/a?"), Fault.MISSING_COMPONENT),
    ("the digest not", covering("@method", "@target-uri", "content-type"), Fault.MISSING_COMPONENT),
    ("the type not", covering("@method", "@target-uri", "content-digest"), Fault.MISSING_COMPONENT),
    ("a component that is not there", respelled(signed(), b'"content-type")', b'"content-type" "x")'), Fault.MISSING_COMPONENT),
    ("the type taken away", edited(signed(), {b"content-type": None}), Fault.MISSING_COMPONENT),
    ("made soft on the way", with_lines(signed(unsigned(b"", method="PURGE")), SOFT), Fault.MISSING_COMPONENT),
    ("a key added on the way", with_lines(signed(unsigned(b"", method="PURGE")), (b"Surrogate-Key", b"all")), Fault.MISSING_COMPONENT),
    # the body
    ("no digest", edited(signed(), {b"content-digest": None}), Fault.DIGEST_MISSING),
    ("a body added to a request without", replace(signed(unsigned(b"")), body=b"x"), Fault.DIGEST_MISSING),
    ("a body added with its digest", with_lines(replace(signed(unsigned(b"")), body=b"x"), (b"Content-Digest", content_digest(b"x"))), Fault.MISSING_COMPONENT),
    ("a digest of another algorithm", edited(signed(), {b"content-digest": b"md5=:AAAA:"}), Fault.DIGEST_MISSING),
    ("a digest that is none", edited(signed(), {b"content-digest": b"sha-256=:AAAA:"}), Fault.DIGEST_MALFORMED),
    ("another body", replace(signed(), body=BODY + b" "), Fault.DIGEST_MISMATCH),
    ("no body", replace(signed(), body=b""), Fault.DIGEST_MISMATCH),
    # when
    ("no created", respelled(signed(), b";created=%d" % NOW, b""), Fault.NO_CREATED),
    ("tomorrow's", signed(now=NOW + 86_400), Fault.FROM_THE_FUTURE),
    ("an hour ahead", signed(now=NOW + 3_600), Fault.FROM_THE_FUTURE),
    ("an hour old", signed(now=NOW - 3_600), Fault.TOO_OLD),
    ("before there were clocks", signed(now=-1), Fault.TOO_OLD),
    ("expired", signed(now=NOW - 60, options=SigningOptions(expires_after=59)), Fault.EXPIRED),
    ("no nonce", respelled(signed(), b';nonce="%b"' % NONCE.encode(), b""), Fault.NO_NONCE),
    ("an empty nonce", signed(nonce=""), Fault.BAD_NONCE),
    ("a short nonce", signed(nonce="x" * 10), Fault.BAD_NONCE),
    ("a long nonce", signed(nonce="x" * 65), Fault.BAD_NONCE),
    # who
    ("no keyid", respelled(signed(), b';keyid="deploy"', b""), Fault.NO_KEYID),
    ("an unknown key", signed(key=replace(SIGNING, id="nobody")), Fault.UNKNOWN_KEY),
    ("another key's id", signed(key=replace(OTHER, id="deploy")), Fault.BAD_SIGNATURE),
    ("another method", replace(signed(), method=b"PUT"), Fault.BAD_SIGNATURE),
    ("another host", replace(signed(), authority=Authority(b"https", b"other.example", 443)), Fault.BAD_SIGNATURE),
    ("another scheme", replace(signed(), authority=Authority(b"http", b"edge.example", 443)), Fault.BAD_SIGNATURE),
    ("another path", replace(signed(), target=b"/v1/purges/x?dry_run=1"), Fault.BAD_SIGNATURE),
    ("another query", replace(signed(), target=b"/v1/purges"), Fault.BAD_SIGNATURE),
    ("another type", edited(signed(), {b"content-type": b"text/plain"}), Fault.BAD_SIGNATURE),
    ("a signature cut short", edited(signed(), {b"signature": b"purge=:AAAA:"}), Fault.BAD_SIGNATURE),
    ("an empty signature", edited(signed(), {b"signature": b"purge=::"}), Fault.BAD_SIGNATURE),
    ("a signature over fewer components", respelled(signed(), b' "content-type"', b' "content-type" "@scheme"'), Fault.BAD_SIGNATURE),
    ("components in another order", respelled(signed(), b'"@method" "@target-uri"', b'"@target-uri" "@method"'), Fault.BAD_SIGNATURE),
    ("a later created", respelled(signed(), b"created=%d" % NOW, b"created=%d" % (NOW + 1)), Fault.BAD_SIGNATURE),
    ("another nonce", respelled(signed(), NONCE.encode(), NONCE[::-1].encode()), Fault.BAD_SIGNATURE),
    ("alg of another algorithm", respelled(signed(), b'"ed25519"', b'"hmac-sha256"'), Fault.ALGORITHM_MISMATCH),
    ("alg none", respelled(signed(), b'"ed25519"', b'"none"'), Fault.ALGORITHM_MISMATCH),
    ("alg in other letters", respelled(signed(), b'"ed25519"', b'"Ed25519"'), Fault.ALGORITHM_MISMATCH),
    ("the public key as a secret", signed_with_public_key_as_secret(), Fault.ALGORITHM_MISMATCH),
    ("the public key as a secret, without alg", respelled(signed_with_public_key_as_secret(), b';alg="hmac-sha256"', b""), Fault.BAD_SIGNATURE),
]  # fmt: skip


@pytest.mark.parametrize(("why", "message", "fault"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_wrong_has_its_reason(why: str, message: Message, fault: Fault):
    refused = verify(message, RING, NOW)
    assert isinstance(refused, Refused), refused
    assert refused.fault is fault, refused
    assert refused.detail


ELSEWHERE = {
    Fault.REPLAYED,
    Fault.WRONG_SCOPE,
    Fault.REVOKED_KEY,
    Fault.KEY_NOT_YET_VALID,
    Fault.KEY_NO_LONGER_VALID,
}


def test_every_fault_has_its_row():
    assert {fault for _, _, fault in REFUSED} | ELSEWHERE == set(Fault)


def test_the_claimed_key_is_named_for_the_log():
    refused = verify(signed(now=0), RING, NOW)
    assert isinstance(refused, Refused)
    assert refused.keyid == "deploy"


def test_what_a_request_puts_into_the_log_is_bounded():
    refused = verify(signed(key=replace(SIGNING, id="k" * 3_000)), RING, NOW)
    assert isinstance(refused, Refused)
    assert refused.keyid == "k" * 64
    refused = verify(
        respelled(signed(), b'"content-type")', b'"content-type" "%b")' % (b"x" * 3_000)), RING, NOW
    )
    assert isinstance(refused, Refused)
    assert len(refused.detail) == 200


POLICY = Policy()
BORDERS = [
    # seconds that our clock is after `created`; verdict
    (-POLICY.skew - 0.001, Fault.FROM_THE_FUTURE),
    (-POLICY.skew, None),
    (0.0, None),
    (POLICY.max_age, None),
    (POLICY.max_age + 0.001, Fault.TOO_OLD),
]


@pytest.mark.parametrize(("after", "fault"), BORDERS)
@pytest.mark.parametrize("wrong_by", [0, 3_600, -3_600], ids=["", "both fast", "both slow"])
def test_the_borders_of_created(after: float, fault: Fault | None, wrong_by: int):
    verdict = verify(signed(now=NOW + wrong_by), RING, NOW + wrong_by + after)
    assert (verdict.fault if isinstance(verdict, Refused) else None) is fault


@pytest.mark.parametrize(("signer", "verifier"), [(30, 0), (0, -30), (15, -15), (-300, 0), (-150, 150)])
def test_two_clocks_may_differ_by_the_skew_or_the_age(signer: int, verifier: int):
    assert isinstance(verify(signed(now=NOW + signer), RING, NOW + verifier), Verified)
    worse = 1 if signer > verifier else -1
    assert isinstance(verify(signed(now=NOW + signer + worse), RING, NOW + verifier), Refused)


@pytest.mark.parametrize(("after", "fault"), [(59.9, None), (60, None), (60.001, Fault.EXPIRED)])
def test_the_border_of_expires(after: float, fault: Fault | None):
    verdict = verify(signed(options=SigningOptions(expires_after=60)), RING, NOW + after)
    assert (verdict.fault if isinstance(verdict, Refused) else None) is fault


@pytest.mark.parametrize("length", [POLICY.min_nonce, POLICY.max_nonce])
def test_the_borders_of_a_nonce(length: int):
    assert isinstance(verify(signed(nonce="n" * length), RING, NOW), Verified)


def test_expires_cannot_prolong_what_is_too_old():
    verdict = verify(signed(now=NOW - 301, options=SigningOptions(expires_after=10_000)), RING, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.fault is Fault.TOO_OLD


def ring_with(**changes: object) -> KeyRing:
    return KeyRing([replace(held(SIGNING), **changes)])  # type: ignore[arg-type]  # any field


STATES = [
    ({"state": KeyState.REVOKED}, Fault.REVOKED_KEY),
    ({"not_before": UnixSeconds(NOW + 1)}, Fault.KEY_NOT_YET_VALID),
    ({"not_before": UnixSeconds(NOW)}, None),
    ({"not_after": UnixSeconds(NOW)}, None),
    ({"not_after": UnixSeconds(NOW - 1)}, Fault.KEY_NO_LONGER_VALID),
]


@pytest.mark.parametrize(("changes", "fault"), STATES)
def test_a_keys_state_counts(changes: dict[str, object], fault: Fault | None):
    verdict = verify(signed(), ring_with(**changes), NOW)
    assert (verdict.fault if isinstance(verdict, Refused) else None) is fault


@pytest.mark.parametrize(("changes", "fault"), STATES)
def test_nobody_hears_of_a_keys_state_who_cannot_sign_with_it(
    changes: dict[str, object], fault: Fault | None
):
    verdict = verify(signed(key=replace(OTHER, id="deploy")), ring_with(**changes), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.fault is Fault.BAD_SIGNATURE


def told(message: Message, ring: KeyRing = RING) -> tuple[Fault, str, int]:
    verdict = verify(message, ring, NOW)
    assert isinstance(verdict, Refused)
    return verdict.shown, verdict.said, verdict.status


def test_a_caller_cannot_tell_an_unknown_key_from_a_wrong_signature():
    unknown = told(signed(key=replace(OTHER, id="nobody")))
    assert unknown == told(signed(key=replace(OTHER, id="deploy")))
    assert unknown == told(signed(key=replace(SHARED, id="deploy")))
    assert unknown == told(signed(), ring_with(algorithm=SHARED.algorithm))


def test_two_keys_overlap_in_a_rotation():
    new = SigningKey("deploy-2027", SIGNING.algorithm, bytes(32))
    both = KeyRing([held(SIGNING), held(new)])
    for key in (SIGNING, new):
        verified = verify(signed(key=key), both, NOW)
        assert isinstance(verified, Verified)
        assert verified.key.id == key.id
    assert isinstance(
        verify(signed(), KeyRing([replace(held(SIGNING), state=KeyState.REVOKED), held(new)]), NOW), Refused
    )


def test_a_policy_of_ones_own():
    policy = Policy(
        max_age=10, skew=1, tag="other", min_nonce=1, max_nonce=2, covered_when_present=frozenset()
    )
    message = with_lines(signed(nonce="x", options=SigningOptions(tag="other")), SOFT)
    assert isinstance(verify(message, RING, NOW + 10, policy), Verified)
    assert isinstance(verify(message, RING, NOW + 11, policy), Refused)
    assert isinstance(verify(signed(), RING, NOW, policy), Refused)


def test_an_empty_ring_lets_nobody_in():
    verdict = verify(signed(), KeyRing(), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.fault is Fault.UNKNOWN_KEY
