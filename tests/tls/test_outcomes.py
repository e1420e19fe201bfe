"""OpenSSL's words for the end of a handshake, and ours."""

from __future__ import annotations

import pytest

from edge.tls.outcomes import Outcome, outcome_of


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (None, Outcome.MALFORMED),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", Outcome.NO_CERTIFICATE),
        ("CERTIFICATE_VERIFY_FAILED", Outcome.BAD_CERTIFICATE),
        ("UNSUPPORTED_PROTOCOL", Outcome.NOTHING_IN_COMMON),
        ("TLSV1_ALERT_UNKNOWN_CA", Outcome.REFUSED),
        ("SSLV3_ALERT_BAD_CERTIFICATE", Outcome.REFUSED),
        ("DIGEST_CHECK_FAILED", Outcome.MALFORMED),
    ],
)
def test_every_reason_is_one_of_the_list(reason: str | None, outcome: Outcome):
    assert outcome_of(reason) is outcome
