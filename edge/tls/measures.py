"""What is counted of TLS towards clients.

Owns: the names, units, help texts and labels. Rules: those of edge.measures. Versions and outcomes are closed lists,
certificates are those of the folder.
"""

from __future__ import annotations

from edge.metrics import Merge, Registry


class TlsMeasures:
    """What a worker counts."""

    def __init__(self, registry: Registry) -> None:
        self.handshakes = registry.counter(
            "perigee_tls_handshakes_total",
            unit="handshakes",
            help="Handshakes with clients by version (- where none was agreed on) and outcome: full, resumed, or why there was "
            "none.",
            labels=("version", "outcome"),
        )
        self.tickets_shared = registry.gauge(
            "perigee_tls_tickets_shared",
            unit="workers",
            help="Workers whose session tickets the other workers can open, too.",
        ).of()


class CertificateMeasures:
    """What the supervisor counts, which reads the files."""

    def __init__(self, registry: Registry) -> None:
        self.expiry = registry.gauge(
            "perigee_tls_certificate_expiry_seconds",
            unit="seconds",
            help="Until the certificate in force expires; less than 0: since then.",
            labels=("certificate",),
            merge=Merge.MIN,
        )
        self.earliest = registry.gauge(
            "perigee_tls_earliest_expiry_seconds",
            unit="seconds",
            help="The same of the one that expires first; a year where there is none.",
            merge=Merge.MIN,
        ).of()
        self.faults = registry.gauge(
            "perigee_tls_certificate_faults",
            unit="files",
            help="What is wrong in the folder of certificates now, so that former ones are in force.",
        ).of()
        self.reloads = registry.counter(
            "perigee_tls_certificate_reloads_total",
            unit="reloads",
            help="Certificates read again; outcome: taken, or refused (of what is bad the former stays in force).",
            labels=("outcome",),
        )
