"""Content-Digest. PURE. RFC 9530 section 2.

Owns: writing it and checking it against a body. Rules: sha-256 and sha-512; other algorithms in the field are passed over,
as the RFC allows, but one of the two has to be there, and each of the two that is there has to be right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import Enum
from hmac import compare_digest
from types import MappingProxyType

from edge.purge.signing.faults import Rejected, SignatureFault
from edge.semantics.message import Fields
from edge.semantics.structured import Item, NotStructured, parse_members, render_dictionary

MAX_FIELD_BYTES = 1_024
"""Both digests take 150."""


class DigestAlgorithm(Enum):
    """The "active" ones of RFC 9530 s5."""

    SHA_256 = "sha-256"
    SHA_512 = "sha-512"


_HASH: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        DigestAlgorithm.SHA_256.value: lambda body: hashlib.sha256(body).digest(),
        DigestAlgorithm.SHA_512.value: lambda body: hashlib.sha512(body).digest(),
    }
)


def content_digest(body: bytes, algorithm: DigestAlgorithm = DigestAlgorithm.SHA_256) -> bytes:
    """The field's value for this body."""
    return render_dictionary({algorithm.value: Item(_HASH[algorithm.value](body))})


def check_digest(fields: Fields, body: bytes) -> None:
    """Raises Rejected: DIGEST_MISSING, DIGEST_MALFORMED, DIGEST_MISMATCH, TOO_LARGE. A field is asked for where there is a
    body, and checked wherever there is a field.
    """
    value = fields.combined(b"content-digest")
    if value is None:
        if body:
            raise Rejected(SignatureFault.DIGEST_MISSING, "the request has a body and no Content-Digest")
        return
    known = {name: digest for name, digest in _digests(value).items() if name in _HASH}
    if not known:
        raise Rejected(SignatureFault.DIGEST_MISSING, "Content-Digest has neither sha-256 nor sha-512")
    for name, digest in known.items():
        right = _HASH[name](body)
        if len(digest) != len(right):
            raise Rejected(
                SignatureFault.DIGEST_MALFORMED, f"the {name} of Content-Digest has {len(digest)} bytes"
            )
        if not compare_digest(digest, right):
            raise Rejected(
                SignatureFault.DIGEST_MISMATCH, f"the {name} of Content-Digest is not that of the body"
            )


def _digests(value: bytes) -> dict[str, bytes]:
    if len(value) > MAX_FIELD_BYTES:
        raise Rejected(SignatureFault.TOO_LARGE, f"Content-Digest has more than {MAX_FIELD_BYTES} bytes")
    try:
        members = parse_members(value)
    except NotStructured as fault:
        raise Rejected(SignatureFault.DIGEST_MALFORMED, f"Content-Digest: {fault}") from None
    found: dict[str, bytes] = {}
    for name, member in members:
        digest = member.value if isinstance(member, Item) else None
        if not isinstance(digest, bytes):
            raise Rejected(
                SignatureFault.DIGEST_MALFORMED, f"the {name} of Content-Digest is no byte sequence"
            )
        if name in found:
            raise Rejected(SignatureFault.DIGEST_MALFORMED, f"Content-Digest has {name} twice")
        found[name] = digest
    return found
