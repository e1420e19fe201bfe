"""What a request says of its signature, before anything is verified. PURE. RFC 9421 sections 2.3, 4.1, 4.2.

Owns: `Claimed` and its reading from Signature-Input and Signature. Rules, stricter than the RFC where it leaves a choice:

- labels are the same in both fields, each once; a signature is a byte sequence in its one spelling, without parameters;
- exactly one signature has our tag, and that one is taken: others (a proxy's, say) may stand beside it and are not looked
  at. Two with our tag are refused, and so is a request whose only signature has another tag or none;
- a signature parameter that is not in RFC 9421 is refused: what the signer meant by it could not be honoured.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from edge.purge.signing.faults import Rejected, SignatureFault
from edge.semantics.message import Fields
from edge.semantics.structured import BareItem, InnerList, Item, Member, NotStructured, parse_members

MAX_FIELD_BYTES = 4_096
"""Of Signature-Input and of Signature; ours take 300 and 100."""
MAX_SIGNATURES = 8
MAX_COMPONENTS = 32

_PARAMETERS = frozenset(("created", "expires", "nonce", "alg", "keyid", "tag"))


@dataclass(frozen=True, slots=True)
class Claimed:
    """One signature as the request presents it. params: covered components and parameters, as signed.

    None = the signature has no such parameter. created, expires: unix seconds.
    """

    label: str
    params: InnerList
    signature: bytes
    created: int | None
    expires: int | None
    nonce: str | None
    keyid: str | None
    alg: str | None


def read_claimed(fields: Fields, tag: str) -> Claimed:
    """The one signature with `tag`. Raises Rejected: NO_SIGNATURE, MALFORMED, TOO_LARGE, SEVERAL_SIGNATURES, WRONG_TAG."""
    said_inputs, said_signatures = (fields.combined(name) for name in (b"signature-input", b"signature"))
    if said_inputs is None and said_signatures is None:
        raise Rejected(SignatureFault.NO_SIGNATURE, "the request is not signed")
    if said_inputs is None or said_signatures is None:
        raise _malformed("Signature-Input and Signature come together")
    inputs, signatures = _members(said_inputs, "Signature-Input"), _members(said_signatures, "Signature")
    if inputs.keys() != signatures.keys():
        raise _malformed("Signature-Input and Signature have different labels")
    label, params = _tagged(inputs, tag)
    signature = signatures[label]
    if not isinstance(signature, Item) or not isinstance(signature.value, bytes) or signature.parameters:
        raise _malformed("the signature is no byte sequence")
    if b"%b=:%b:" % (label.encode("ascii"), b64encode(signature.value)) not in said_signatures:
        raise _malformed("the signature's base64 has bits that do not count")
    return _claimed(label, params, signature.value)


def _members(value: bytes, name: str) -> dict[str, Member]:
    if len(value) > MAX_FIELD_BYTES:
        raise Rejected(SignatureFault.TOO_LARGE, f"{name} has more than {MAX_FIELD_BYTES} bytes")
    try:
        members = parse_members(value)
    except NotStructured as fault:
        raise _malformed(f"{name}: {fault}") from None
    if len(members) > MAX_SIGNATURES:
        raise Rejected(SignatureFault.TOO_LARGE, f"{name} has more than {MAX_SIGNATURES} members")
    found = dict(members)
    if len(found) < len(members):
        raise _malformed(f"{name} has a label twice")
    return found


def _tagged(inputs: dict[str, Member], tag: str) -> tuple[str, InnerList]:
    ours: list[tuple[str, InnerList]] = []
    for label, member in inputs.items():
        if not isinstance(member, InnerList):
            raise _malformed("a member of Signature-Input is no inner list")
        if dict(member.parameters).get("tag") == tag:
            ours.append((label, member))
    if len(ours) > 1:
        raise Rejected(SignatureFault.SEVERAL_SIGNATURES, f"{len(ours)} signatures have the tag {tag}")
    if not ours:
        raise Rejected(SignatureFault.WRONG_TAG, f"no signature has the tag {tag}")
    return ours[0]


def _claimed(label: str, params: InnerList, signature: bytes) -> Claimed:
    if len(params.items) > MAX_COMPONENTS:
        raise Rejected(SignatureFault.TOO_LARGE, f"more than {MAX_COMPONENTS} components are covered")
    said = dict(params.parameters)
    unknown = said.keys() - _PARAMETERS
    if unknown:
        raise _malformed(f"the signature parameter {min(unknown)} is not known")
    return Claimed(
        label,
        params,
        signature,
        created=_integer(said, "created"),
        expires=_integer(said, "expires"),
        nonce=_string(said, "nonce"),
        keyid=_string(said, "keyid"),
        alg=_string(said, "alg"),
    )


def _integer(said: Mapping[str, BareItem], name: str) -> int | None:
    value = said.get(name)
    if isinstance(value, bool) or not (value is None or isinstance(value, int)):
        raise _malformed(f"the signature parameter {name} is no integer")
    return value


def _string(said: Mapping[str, BareItem], name: str) -> str | None:
    value = said.get(name)
    if not (value is None or isinstance(value, str)):
        raise _malformed(f"the signature parameter {name} is no string")
    return value


def _malformed(detail: str) -> Rejected:
    return Rejected(SignatureFault.MALFORMED, detail)
