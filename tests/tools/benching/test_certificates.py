"""The certificate of the row over TLS: one that a client takes, for TLS 1.3 and nothing else."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.kit.tls import shake_hands
from tools.benching.certificates import Certificate, make_certificate, trusting


def server_of(certificate: Certificate) -> ssl.SSLContext:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.chain, certificate.key)
    return server


def test_a_client_takes_it_by_address_and_speaks_tls_1_3(tmp_path: Path):
    certificate = make_certificate(tmp_path / "certificates")
    client, _ = shake_hands(trusting(certificate), server_of(certificate), "127.0.0.1")
    assert client.version() == "TLSv1.3"
    assert certificate.key.stat().st_mode & 0o077 == 0


def test_another_one_is_not_trusted(tmp_path: Path):
    one, other = make_certificate(tmp_path / "one"), make_certificate(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(trusting(other), server_of(one), "127.0.0.1")
