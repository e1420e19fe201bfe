"""Every fault has its sentence and its status, and some are told to nobody."""

from __future__ import annotations

import re

import pytest

from edge.purge.signing.faults import SENTENCE, Refused, Rejected, SignatureFault

HIDDEN = {SignatureFault.UNKNOWN_KEY, SignatureFault.ALGORITHM_MISMATCH}


def test_every_fault_has_a_sentence():
    assert set(SENTENCE) == set(SignatureFault)
    assert all(sentence.endswith((".", ".)")) for sentence in SENTENCE.values())


@pytest.mark.parametrize("fault", SignatureFault)
def test_a_faults_word_can_be_a_label(fault: SignatureFault):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.value)


@pytest.mark.parametrize("fault", SignatureFault)
def test_a_caller_is_told_the_fault_unless_it_says_which_keys_there_are(fault: SignatureFault):
    refused = Refused(fault, "the detail", "k")
    if fault in HIDDEN:
        assert refused.shown is SignatureFault.BAD_SIGNATURE
        assert refused.said == SENTENCE[SignatureFault.BAD_SIGNATURE]
    elif fault is not SignatureFault.BAD_SIGNATURE:
        assert (refused.shown, refused.said) == (fault, "the detail")


STATUSES = [
    (SignatureFault.NO_SIGNATURE, 401),
    (SignatureFault.MALFORMED, 400),
    (SignatureFault.TOO_LARGE, 400),
    (SignatureFault.SEVERAL_SIGNATURES, 400),
    (SignatureFault.DIGEST_MALFORMED, 400),
    (SignatureFault.DIGEST_MISMATCH, 401),
    (SignatureFault.EXPIRED, 401),
    (SignatureFault.UNKNOWN_KEY, 401),
    (SignatureFault.REVOKED_KEY, 401),
    (SignatureFault.WRONG_SCOPE, 403),
    (SignatureFault.REPLAYED, 409),
]


@pytest.mark.parametrize(("fault", "status"), STATUSES)
def test_a_faults_status(fault: SignatureFault, status: int):
    assert Refused(fault, "").status == status


def test_what_is_raised_carries_the_refusal():
    assert Rejected(SignatureFault.EXPIRED, "why").refused == Refused(SignatureFault.EXPIRED, "why", None)
