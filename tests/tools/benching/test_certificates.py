"""The certificate of the row over TLS: one that a client takes, for TLS 1.3 and nothing else."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tools.benching.certificates import Certificate, make_certificate, trusting


async def shake_hands(certificate: Certificate, client: ssl.SSLContext) -> str | None:
    """The version that both found, ssl.SSLError when they found none."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.chain, certificate.key)

    async def bye(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(bye, "127.0.0.1", 0, ssl=server)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        version: str | None = writer.get_extra_info("ssl_object").version()
        writer.close()
    return version


async def test_a_client_takes_it_by_address_and_speaks_tls_1_3(tmp_path: Path):
    certificate = make_certificate(tmp_path / "certificates")
    assert await shake_hands(certificate, trusting(certificate)) == "TLSv1.3"
    assert certificate.key.stat().st_mode & 0o077 == 0


async def test_another_one_is_not_trusted(tmp_path: Path):
    one, other = make_certificate(tmp_path / "one"), make_certificate(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(one, trusting(other))
