"""Ed25519 and HMAC-SHA256 over a signature base. PURE. RFC 9421 section 3.3.

Owns: signing and verifying bytes. Rule: verifying does the same work whatever the key is and whether there is one: both
algorithms are run each time, against a stand-in where the key is not theirs, so that a caller cannot find out by the clock
which keys there are: the time depends on the request alone. Beside Ed25519 an HMAC costs next to nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.purge.signing.keys import Algorithm, Key

ED25519_BYTES = 32
"""Of a public key, and of a private one (RFC 8032 s5.1.5)."""

_NOBODYS_SECRET = bytes(32)
_NOBODY = Ed25519PrivateKey.from_private_bytes(_NOBODYS_SECRET).public_key().public_bytes_raw()
"""Anyone can sign with these; that a signature fits them counts for nothing."""


def verify_base(key: Key | None, base: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `base` by `key`; False where there is no key."""
    algorithm = None if key is None else key.algorithm
    material = b"" if key is None else key.material
    is_ed25519, is_hmac = algorithm is Algorithm.ED25519, algorithm is Algorithm.HMAC_SHA256
    fits_public = _fits_public(material if is_ed25519 else _NOBODY, base, signature)
    fits_secret = hmac.compare_digest(_mac(material if is_hmac else _NOBODYS_SECRET, base), signature)
    return (is_ed25519 and fits_public) or (is_hmac and fits_secret)


def sign_base(algorithm: Algorithm, private: bytes, base: bytes) -> bytes:
    """The signature. private: a raw Ed25519 private key, or an HMAC secret."""
    match algorithm:
        case Algorithm.ED25519:
            return Ed25519PrivateKey.from_private_bytes(private).sign(base)
        case Algorithm.HMAC_SHA256:
            return _mac(private, base)
        case _:  # pragma: no cover - mypy holds it
            assert_never(algorithm)


def _fits_public(public: bytes, base: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, base)
    except InvalidSignature:
        return False
    return True


def _mac(secret: bytes, base: bytes) -> bytes:
    return hmac.digest(secret, base, hashlib.sha256)
