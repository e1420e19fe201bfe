"""A certificate for the row over TLS, made when it is needed.

Owns: `make_certificate` and `trusting`. It is ECDSA on P-256, what a certificate authority gives out by default today, for
127.0.0.1 and localhost, signed by itself, and good for a day.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

CERTIFIED_NAME = "localhost"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files, named for CERTIFIED_NAME, in one folder."""

    chain: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """A new one, in files in `folder`, which is made. OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CERTIFIED_NAME)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName(CERTIFIED_NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    certificate = Certificate(folder / f"{CERTIFIED_NAME}.crt", folder / f"{CERTIFIED_NAME}.key")
    certificate.chain.write_bytes(made.public_bytes(Encoding.PEM))
    certificate.key.touch(mode=0o600)
    certificate.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate


def trusting(certificate: Certificate) -> ssl.SSLContext:
    """How a client speaks that trusts this one only, and TLS 1.3 only."""
    context = ssl.create_default_context(cafile=str(certificate.chain))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
