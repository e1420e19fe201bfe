"""How a handshake can end. PURE.

Owns: `Outcome`, the closed list that is the label of the metric, and the way from OpenSSL's words to it.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """Of one handshake; the value is the word in the metric."""

    FULL = "full"
    RESUMED = "resumed"
    NOT_TLS = "not-tls"
    """Other bytes than a handshake's first ones: plain HTTP, most often."""
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    UNKNOWN_NAME = "unrecognized-name"
    NO_PROTOCOL = "no-application-protocol"
    NOTHING_IN_COMMON = "nothing-in-common"
    """No version or cipher that both would use."""
    NO_CERTIFICATE = "no-client-certificate"
    BAD_CERTIFICATE = "bad-client-certificate"
    REFUSED = "refused-by-client"
    """It sent an alert: it does not trust the certificate, most often."""
    GONE = "gone"
    """The connection ended in mid-handshake."""
    OVERDUE = "overdue"


_BY_REASON = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": Outcome.NO_CERTIFICATE,
    "CERTIFICATE_VERIFY_FAILED": Outcome.BAD_CERTIFICATE,
    "NO_SHARED_CIPHER": Outcome.NOTHING_IN_COMMON,
    "UNSUPPORTED_PROTOCOL": Outcome.NOTHING_IN_COMMON,
    "WRONG_VERSION_NUMBER": Outcome.NOTHING_IN_COMMON,
    "VERSION_TOO_LOW": Outcome.NOTHING_IN_COMMON,
    "NO_SUITABLE_KEY_SHARE": Outcome.NOTHING_IN_COMMON,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": Outcome.NOTHING_IN_COMMON,
    "NO_SHARED_GROUP": Outcome.NOTHING_IN_COMMON,
    "NO_SHARED_GROUPS": Outcome.NOTHING_IN_COMMON,
    "NO_SHARED_SIGNATURE_ALGORITHMS": Outcome.NOTHING_IN_COMMON,
    "INAPPROPRIATE_FALLBACK": Outcome.NOTHING_IN_COMMON,
}


def outcome_of(reason: str | None) -> Outcome:
    """Of a handshake that OpenSSL ended. reason: as `ssl.SSLError.reason` has it; None = it gives none."""
    if reason is None:
        return Outcome.MALFORMED
    found = _BY_REASON.get(reason)
    if found is not None:
        return found
    return Outcome.REFUSED if "_ALERT_" in reason else Outcome.MALFORMED
