"""Whether this Python and this OpenSSL let workers share their tickets: `python -m edge.tls.ticket_trial`, exit code 0 = yes.

Owns: the trial. It is a process of its own, since a wrong guess about the inside of Python would end it: then the answer is no,
and nothing else happens. Rules: a key is set and read back, and a session of one context is resumed at another that was given
the same key, in TLS 1.2 and in 1.3, and at none that was not; anything unexpected is a no.
"""

from __future__ import annotations

import datetime as dt
import secrets
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.settings.node import TlsSettings
from edge.settings.sites import NO_SITES
from edge.tls.contexts import Contexts, Materials, Slot
from edge.tls.layout import Material
from edge.tls.pairs import looked_at
from edge.tls.tickets import SECRET_BYTES, TicketSecrets, get_keys
from edge.wire.client_hello import ClientHello

NAME = "trial.invalid"


def main() -> None:
    """Exits 0 when tickets can be shared, 1 when not."""
    raise SystemExit(0 if is_shared() else 1)


def is_shared() -> bool:
    """The trial. It may end the process where the guess is wrong."""
    one, other, stranger = (_slot(secret) for secret in (b"a" * SECRET_BYTES, b"a" * SECRET_BYTES, None))
    assert one.keys is not None
    if get_keys(one.context) != one.keys.current:
        return False
    return all(
        _resumes(one, other, version) and not _resumes(one, stranger, version)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    )


def _slot(secret: bytes | None) -> Slot:
    secret = secrets.token_bytes(SECRET_BYTES) if secret is None else secret
    contexts = Contexts(
        Materials((looked_at(_MATERIAL, None),)), TlsSettings(), NO_SITES, TicketSecrets(secret)
    )
    chosen = contexts.choose(ClientHello(NAME.encode()))
    assert isinstance(chosen, Slot), chosen
    return chosen


def _resumes(one: Slot, other: Slot, version: ssl.TLSVersion) -> bool:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    session = shake_hands(client, one.context, None).session
    return session is not None and bool(shake_hands(client, other.context, session).session_reused)


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLObject:
    """The client's end of a handshake in memory, the first bytes of the server read. ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=NAME, session=session)
    its = server.wrap_bio(up, down, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for end in (ours, its):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
    its.write(b"x")
    assert ours.read(1) == b"x"  # with TLS 1.3, the tickets come before it
    return ours


def _made() -> Material:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Material(
        NAME,
        NAME,
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


_MATERIAL = _made()

if __name__ == "__main__":
    main()
