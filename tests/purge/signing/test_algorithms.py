"""Bytes are signed as RFC 9421 has it, and verified in the same time for every key and none."""

from __future__ import annotations

import pytest

from edge.purge.signing import algorithms
from edge.purge.signing.algorithms import sign_base, verify_base
from edge.purge.signing.keys import Algorithm, Key
from tests.kit.rfc9421 import ED25519_PRIVATE, ED25519_PUBLIC, SHARED_SECRET, VECTORS

B25, B26 = (next(vector for vector in VECTORS if vector.section == section) for section in ("B.2.5", "B.2.6"))
ED25519 = Key("test-key-ed25519", Algorithm.ED25519, ED25519_PUBLIC)
SHARED = Key("test-shared-secret", Algorithm.HMAC_SHA256, SHARED_SECRET)

ROWS = [(ED25519, ED25519_PRIVATE, B26), (SHARED, SHARED_SECRET, B25)]


@pytest.mark.parametrize(("key", "private", "vector"), ROWS, ids=["ed25519", "hmac-sha256"])
def test_the_rfcs_signatures_are_made_and_fit(key, private, vector):
    base = b"\n".join((*vector.base, b'"@signature-params": ' + vector.params))
    assert sign_base(key.algorithm, private, base) == vector.signature
    assert verify_base(key, base, vector.signature)
    assert not verify_base(key, base + b" ", vector.signature)
    assert not verify_base(key, base, vector.signature[:-1])
    assert not verify_base(key, base, b"")


def test_a_signature_of_the_other_algorithm_does_not_fit():
    base = b"base"
    with_the_public_key_as_a_secret = sign_base(Algorithm.HMAC_SHA256, ED25519_PUBLIC, base)
    assert not verify_base(ED25519, base, with_the_public_key_as_a_secret)
    assert not verify_base(SHARED, base, sign_base(Algorithm.ED25519, ED25519_PRIVATE, base))


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_the_stand_ins_sign_fits_no_key(algorithm: Algorithm):
    forged = sign_base(algorithm, bytes(32), b"base")
    for key in (None, ED25519, SHARED):
        assert not verify_base(key, b"base", forged)


def test_ed25519_with_a_scalar_beyond_the_group_order_is_refused():
    order = 2**252 + 27742317777372353535851937790883648493
    signature = sign_base(Algorithm.ED25519, ED25519_PRIVATE, b"base")
    scalar = int.from_bytes(signature[32:], "little") + order
    assert not verify_base(ED25519, b"base", signature[:32] + scalar.to_bytes(32, "little"))


def test_the_stand_in_is_a_public_key_that_ed25519_can_read():
    assert len(algorithms._NOBODY) == algorithms.ED25519_BYTES
    assert algorithms._fits_public(
        algorithms._NOBODY, b"base", sign_base(Algorithm.ED25519, bytes(32), b"base")
    )
