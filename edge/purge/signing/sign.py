"""Signing a purge request: for the command line, for tests, and for whoever calls the API from Python. PURE. RFC 9421 s3.1.

Owns: `SigningKey`, `sign`, and `request_to`, which makes a message of a URL. Rule: what is signed is what `verify` asks for;
time and chance come from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.errors import ClientFault
from edge.purge.signing.algorithms import sign_base
from edge.purge.signing.components import signature_base
from edge.purge.signing.digest import DigestAlgorithm, content_digest
from edge.purge.signing.keys import Algorithm
from edge.purge.signing.message import Message
from edge.purge.signing.verify import MEANINGFUL, TAG
from edge.semantics.message import Fields, Line
from edge.semantics.structured import InnerList, Item, Parameters, render_dictionary
from edge.wire.request import parse_host

LABEL = "purge"

_URL = re.compile(rb"(https?)://([^/?#@]+)(/[!$-;=?-\[\]-~]*|)")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key as its owner holds it. private: the raw Ed25519 private key (32 bytes), or the HMAC secret."""

    id: str
    algorithm: Algorithm
    private: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningOptions:
    """What may be chosen. expires_after: seconds, None = the verifier's maximal age. components: None = what `verify` asks
    for. alg: whether the algorithm is named.
    """

    expires_after: int | None = None
    tag: str | None = TAG
    label: str = LABEL
    alg: bool = True
    digest: DigestAlgorithm = DigestAlgorithm.SHA_256
    components: Sequence[str] | None = None


def sign(
    message: Message, key: SigningKey, *, now: float, nonce: str, options: SigningOptions = SigningOptions()
) -> tuple[Line, ...]:
    """The field lines that make the request a signed one: Content-Digest where a body has none, Signature-Input, Signature.

    nonce: 11 to 64 characters that this key has not used before, and nobody can guess. Raises Rejected where a component
    is to be covered that the request does not have, such as content-type of a body.
    """
    added: list[Line] = []
    if message.body and b"content-digest" not in message.fields:
        added.append((b"Content-Digest", content_digest(message.body, options.digest)))
    whole = Message(
        message.method, message.authority, message.target, message.fields.with_added(*added), message.body
    )
    names = covered_by_default(whole) if options.components is None else options.components
    params = InnerList(tuple(Item(name) for name in names), _parameters(key, int(now), nonce, options))
    signature = sign_base(key.algorithm, key.private, signature_base(params, whole))
    return (
        *added,
        (b"Signature-Input", render_dictionary({options.label: params})),
        (b"Signature", render_dictionary({options.label: Item(signature)})),
    )


def covered_by_default(message: Message) -> tuple[str, ...]:
    """The components that `verify` asks for of this message."""
    of_body = ("content-digest", "content-type") if message.body else ()
    meaningful = (name.decode("ascii") for name in sorted(MEANINGFUL) if name in message.fields)
    return ("@method", "@target-uri", *of_body, *meaningful)


def _parameters(key: SigningKey, created: int, nonce: str, options: SigningOptions) -> Parameters:
    parameters: list[tuple[str, int | str]] = [("created", created)]
    if options.expires_after is not None:
        parameters.append(("expires", created + options.expires_after))
    parameters += [("nonce", nonce), ("keyid", key.id)]
    if options.alg:
        parameters.append(("alg", key.algorithm.value))
    if options.tag is not None:
        parameters.append(("tag", options.tag))
    return tuple(parameters)


def request_to(url: str, *, method: str = "POST", fields: Fields = Fields(), body: bytes = b"") -> Message:
    """A message for an absolute http or https URL. Raises ClientFault where it is none."""
    found = _URL.fullmatch(url.encode("utf-8"))
    if found is None:
        raise ClientFault(
            f"{url!a} is no URL to sign a request to; write http://HOST[:PORT]/PATH, percent-encoded"
        )
    scheme, host, target = found.groups()
    return Message(method.encode("ascii"), parse_host(host, scheme), target or b"/", fields, body)
