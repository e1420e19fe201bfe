"""No single changed bit of a signed request gets through, and no bytes make anything but a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.signing.faults import Refused
from edge.purge.signing.message import Message
from edge.purge.signing.verify import Verified, verify
from edge.semantics.message import Fields, Line
from tests.kit.signed import NOW, RING, SHARED, edited, signed, unsigned

BY_SECRET = signed(unsigned(b'{"tag":"a"}', lines=((b"Idempotency-Key", b"k1"),)), key=SHARED)
"""Verified in a tenth of the time, so that every bit can be tried."""


def flipped(data: bytes) -> Iterator[bytes]:
    for at in range(len(data) * 8):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        yield bytes(changed)


def with_every_flip(message: Message) -> Iterator[Message]:
    for method in flipped(message.method):
        yield replace(message, method=method)
    for target in flipped(message.target):
        yield replace(message, target=target)
    for host in flipped(message.authority.host):
        yield replace(message, authority=replace(message.authority, host=host))
    for body in flipped(message.body):
        yield replace(message, body=body)
    for index, (name, value) in enumerate(message.fields):
        lines = list(message.fields)
        for changed in flipped(value):
            lines[index] = (name, changed)
            yield replace(message, fields=Fields(lines))


def test_every_single_bit_of_what_is_covered_counts():
    assert isinstance(verify(BY_SECRET, RING, NOW), Verified)
    taken = [
        message for message in with_every_flip(BY_SECRET) if isinstance(verify(message, RING, NOW), Verified)
    ]
    assert taken == []


def test_every_bit_of_an_ed25519_signature_counts():
    message = signed()
    signature = message.fields.get(b"signature")
    assert signature is not None
    taken = [
        changed
        for changed in flipped(signature)
        if isinstance(verify(edited(message, {b"signature": changed}), RING, NOW), Verified)
    ]
    assert taken == []


def test_a_field_name_counts_but_for_its_case():
    for index, (name, value) in enumerate(BY_SECRET.fields):
        for changed in flipped(name):
            lines = list(BY_SECRET.fields)
            lines[index] = (changed, value)
            verdict = verify(replace(BY_SECRET, fields=Fields(lines)), RING, NOW)
            assert isinstance(verdict, Verified) is (changed.lower() == name.lower()), changed


NAMES = st.sampled_from(
    [b"Signature", b"Signature-Input", b"Content-Digest", b"Content-Type", b"Surrogate-Key", b"X"]
)
PIECES = st.sampled_from(
    [b'purge=("@method" "@target-uri")', b";created=1795478400", b';nonce="0123456789ab"', b';keyid="deploy"',
     b';tag="cdn-purge"', b"purge=:AAAA:", b"sha-256=:", b":", b'"', b",", b"(", b")", b";", b"=", b"\x00", b"\xe9", b" "]
)  # fmt: skip
VALUES = st.one_of(st.binary(max_size=40), st.lists(PIECES, max_size=8).map(b"".join))
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=5)


@given(LINES, st.binary(max_size=20), st.binary(max_size=20))
@settings(max_examples=150)
def test_any_request_is_refused_and_nothing_is_raised(lines: list[Line], body: bytes, target: bytes):
    message = replace(unsigned(), target=target, fields=Fields(lines), body=body)
    verdict = verify(message, RING, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.detail.isprintable()
    assert verdict.status in {400, 401, 403, 409}
