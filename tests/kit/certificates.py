"""Certificates made for one test: an authority and servers it vouches for."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Authority:
    """directory: where files go. file: its own certificate, PEM."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, directory: Path, name: str = "Test CA") -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_START)
            .not_valid_after(_END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        authority = cls(directory, key, made)
        authority.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def file(self) -> Path:
        return self.directory / f"{self.certificate.serial_number}.pem"

    def server(self, *names: str, end: dt.datetime = _END) -> ssl.SSLContext:
        """A server's context with a certificate for these DNS names and IP addresses."""
        chain = self.directory / f"{x509.random_serial_number()}.pem"
        chain.write_bytes(b"".join(self.pair(*names, end=end)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def pair(
        self, *names: str, start: dt.datetime = _START, end: dt.datetime = _END, common_name: str = "server"
    ) -> tuple[bytes, bytes]:
        """A certificate for these names, and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if names:
            said = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(said, critical=False)
        made = builder.sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def put(self, folder: Path, name: str, *names: str, end: dt.datetime = _END) -> None:
        """`name.crt` and `name.key` in a folder, each written whole."""
        folder.mkdir(parents=True, exist_ok=True)
        for ending, content in zip((".crt", ".key"), self.pair(*names, end=end), strict=True):
            beside = folder / f".{name}{ending}"
            beside.write_bytes(content)
            beside.replace(folder / f"{name}{ending}")

    def client(self, *, shown: "tuple[bytes, bytes] | None" = None) -> ssl.SSLContext:
        """A client's context that trusts this authority. shown: its own certificate and key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.file)
        if shown is not None:
            file = self.directory / f"{x509.random_serial_number()}.pem"
            file.write_bytes(b"".join(shown))
            context.load_cert_chain(file)
        return context


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
