"""The metrics of TLS can be declared beside all others."""

from __future__ import annotations

from edge.measures import Measures
from edge.tls.measures import CertificateMeasures, TlsMeasures
from edge.tls.outcomes import Outcome


def test_they_are_declared_once_and_count():
    registry = Measures().registry
    measures, certificates = TlsMeasures(registry), CertificateMeasures(registry)
    for outcome in Outcome:
        measures.handshakes.of("-", outcome.value).value += 1
    certificates.expiry.of("www").value = -5.0
    shown = registry.snapshot()
    assert len(shown["perigee_tls_handshakes_total"]["cells"]) == len(Outcome)
    assert shown["perigee_tls_certificate_expiry_seconds"]["cells"][0]["value"] == -5.0
