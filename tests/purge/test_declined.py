"""Each reason has a status and says what to write instead; a signature's secrets stay with us."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from edge.purge.declined import INSTEAD_OF_FAULT, SAID, SIGN_AS_DOCUMENTED, Reason, declined, refused
from edge.purge.signing.faults import Refused, SignatureFault


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_status_of_an_error_and_a_remedy(reason: Reason):
    said = SAID[reason]
    assert 400 <= HTTPStatus(said.status) <= 503
    assert said.instead.endswith(".")
    made = declined(reason, "detail", "/urls/0")
    assert (made.status, made.instead, made.word) == (said.status, said.instead, reason.value)


def test_no_word_means_two_things():
    words = [reason.value for reason in Reason] + [fault.value for fault in SignatureFault]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [
        (SignatureFault.NO_SIGNATURE, 401, "no-signature"),
        (SignatureFault.MALFORMED, 400, "malformed"),
        (SignatureFault.WRONG_SCOPE, 403, "wrong-scope"),
        (SignatureFault.REPLAYED, 409, "replayed"),
        (SignatureFault.UNKNOWN_KEY, 401, "bad-signature"),
        (SignatureFault.ALGORITHM_MISMATCH, 401, "bad-signature"),
    ],
)
def test_a_refused_signature_is_declined_in_the_words_for_callers(
    fault: SignatureFault, status: int, word: str
):
    made = refused(Refused(fault, "for the log", "a-key"))
    assert (made.status, made.word, made.reason, made.logged) == (status, word, fault, "for the log")
    assert made.instead == INSTEAD_OF_FAULT.get(fault, SIGN_AS_DOCUMENTED)


def test_what_an_unknown_key_and_a_wrong_signature_are_told_is_the_same():
    unknown = refused(Refused(SignatureFault.UNKNOWN_KEY, "no key has that id"))
    wrong = refused(Refused(SignatureFault.BAD_SIGNATURE, "the signature does not fit"))
    assert (unknown.status, unknown.word, unknown.detail, unknown.instead) == (
        wrong.status,
        wrong.word,
        wrong.detail,
        wrong.instead,
    )
