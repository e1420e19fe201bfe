"""Content-Digest is written and checked as RFC 9530 says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.signing.digest import MAX_FIELD_BYTES, DigestAlgorithm, check_digest, content_digest
from edge.purge.signing.faults import Rejected, SignatureFault
from edge.semantics.message import Fields
from tests.kit.rfc9421 import BODY, DIGEST

SHA_256 = content_digest(BODY)
SHORT = b"sha-256=:AAAA:"


def with_digest(*values: bytes) -> Fields:
    return Fields((b"Content-Digest", value) for value in values)


def test_the_digest_of_the_rfcs_request():
    assert content_digest(BODY, DigestAlgorithm.SHA_512) == DIGEST
    assert SHA_256 == b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


RIGHT = [
    with_digest(DIGEST),
    with_digest(SHA_256),
    with_digest(DIGEST, SHA_256),
    with_digest(SHA_256 + b", md5=:AAAA:"),
    with_digest(b"unixsum=:AAA=:", SHA_256),
]


@pytest.mark.parametrize("fields", RIGHT, ids=repr)
def test_a_right_digest_is_taken(fields: Fields):
    check_digest(fields, BODY)


WRONG = [
    (Fields(), SignatureFault.DIGEST_MISSING),
    (with_digest(b""), SignatureFault.DIGEST_MISSING),
    (with_digest(b"md5=:AAAA:"), SignatureFault.DIGEST_MISSING),
    (with_digest(content_digest(b"another")), SignatureFault.DIGEST_MISMATCH),
    (
        with_digest(SHA_256, content_digest(b"another", DigestAlgorithm.SHA_512)),
        SignatureFault.DIGEST_MISMATCH,
    ),
    (with_digest(content_digest(b"another"), DIGEST), SignatureFault.DIGEST_MISMATCH),
    (with_digest(SHORT), SignatureFault.DIGEST_MALFORMED),
    (with_digest(SHA_256, SHA_256), SignatureFault.DIGEST_MALFORMED),
    (with_digest(content_digest(b"another"), SHA_256), SignatureFault.DIGEST_MALFORMED),
    (with_digest(b"sha-256"), SignatureFault.DIGEST_MALFORMED),
    (with_digest(b"sha-256=1"), SignatureFault.DIGEST_MALFORMED),
    (with_digest(b"sha-256=(:AAAA:)"), SignatureFault.DIGEST_MALFORMED),
    (with_digest(SHA_256 + b", x=1"), SignatureFault.DIGEST_MALFORMED),
    (with_digest(SHA_256 + b","), SignatureFault.DIGEST_MALFORMED),
    (with_digest(b"SHA-256=:AAAA:"), SignatureFault.DIGEST_MALFORMED),
    (with_digest(SHA_256 + b" " * MAX_FIELD_BYTES), SignatureFault.TOO_LARGE),
]


@pytest.mark.parametrize(("fields", "fault"), WRONG, ids=repr)
def test_a_wrong_one_is_refused(fields: Fields, fault: SignatureFault):
    with pytest.raises(Rejected) as raised:
        check_digest(fields, BODY)
    assert raised.value.refused.fault is fault


def test_without_a_body_none_is_needed_but_one_that_is_there_is_checked():
    check_digest(Fields(), b"")
    check_digest(with_digest(content_digest(b"")), b"")
    with pytest.raises(Rejected):
        check_digest(with_digest(SHA_256), b"")


def test_the_longest_field_that_is_allowed_is_read():
    check_digest(with_digest(SHA_256 + b" " * (MAX_FIELD_BYTES - len(SHA_256))), BODY)


@given(st.binary(max_size=80))
@settings(max_examples=150)
def test_no_bytes_get_past_it_or_break_it(value: bytes):
    with pytest.raises(Rejected):
        check_digest(with_digest(value), BODY)
