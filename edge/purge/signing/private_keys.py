"""The files that sign: a private key, or a shared secret, on the side of whoever purges.

Owns: making, writing and reading them. Rules: PEM; an Ed25519 key is PKCS #8 without a password (RFC 5958, RFC 8410), as
OpenSSL has it; a secret is a block of our own. Readable by its owner only, and refused otherwise; never overwritten.
"""

from __future__ import annotations

import binascii
import os
import re
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from edge.errors import ConfigFault
from edge.purge.signing.key_schema import MAX_SECRET, MIN_SECRET
from edge.purge.signing.keys import Algorithm
from edge.purge.signing.sign import SigningKey

MAX_FILE_BYTES = 16 * 1024
SECRET_BYTES = 32

_LABEL = "PERIGEE HMAC SECRET"
_SECRET = re.compile(f"-----BEGIN {_LABEL}-----\n([A-Za-z0-9+/=\n]+)-----END {_LABEL}-----\n*")


def new_signing_key(keyid: str, algorithm: Algorithm, chance: Callable[[int], bytes]) -> SigningKey:
    """A new key. chance: so many bytes that nobody can guess, as `secrets.token_bytes`."""
    return SigningKey(keyid, algorithm, chance(SECRET_BYTES))


def material_of(key: SigningKey) -> bytes:
    """What a node needs to verify: the public key; of a shared secret the secret."""
    if key.algorithm is Algorithm.HMAC_SHA256:
        return key.private
    return Ed25519PrivateKey.from_private_bytes(key.private).public_key().public_bytes_raw()


def pem(key: SigningKey) -> str:
    """The text of the file."""
    if key.algorithm is Algorithm.HMAC_SHA256:
        return f"-----BEGIN {_LABEL}-----\n{b64encode(key.private).decode('ascii')}\n-----END {_LABEL}-----\n"
    private = Ed25519PrivateKey.from_private_bytes(key.private)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read. Raises ConfigFault where there is one already. It blocks."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(text)
    except FileExistsError:
        raise ConfigFault(f"{file} is there already; choose another name, or move it away") from None
    except OSError as error:
        raise ConfigFault(f"{file} cannot be written: {error.strerror or error}") from None


def read_private(file: Path, keyid: str | None = None) -> SigningKey:
    """The key in `file`. keyid: None = the file's name without .pem. Raises ConfigFault. It blocks."""
    try:
        mode = file.stat().st_mode
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigFault(f"{file} cannot be read: {error.strerror or error}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigFault(f"{file} can be read or written by everybody; chmod o-rw {file}")
    keyid = file.stem if keyid is None else keyid
    secret = _SECRET.fullmatch(data.decode("latin-1"))
    if secret is not None:
        return SigningKey(keyid, Algorithm.HMAC_SHA256, _secret(file, secret[1]))
    try:
        private = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        made = "`perigee keys new NAME` or `openssl genpkey -algorithm ed25519`"
        raise ConfigFault(f"{file} has no Ed25519 private key without a password in it; make one with {made}")
    return SigningKey(keyid, Algorithm.ED25519, private.private_bytes_raw())


def _secret(file: Path, text: str) -> bytes:
    try:
        secret = b64decode(text.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise ConfigFault(f"{file} has no secret of {MIN_SECRET} to {MAX_SECRET} bytes in it")
    return secret
