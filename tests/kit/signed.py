"""A signed purge request, and how to spoil it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edge.purge.signing.keys import Algorithm, Key, KeyRing
from edge.purge.signing.message import Message
from edge.purge.signing.private_keys import material_of
from edge.purge.signing.sign import SigningKey, SigningOptions, request_to, sign
from edge.semantics.message import Fields, Line

NOW = 1_795_478_400
"""2026-11-24T00:00:00Z."""
NONCE = "0123456789abcdef"
URL = "https://edge.example/v1/purges?dry_run=1"
BODY = b'{"urls": ["https://shop.example/a"]}'

SIGNING = SigningKey("deploy", Algorithm.ED25519, bytes(range(32)))
SHARED = SigningKey("shared", Algorithm.HMAC_SHA256, bytes(range(100, 132)))
OTHER = SigningKey("other", Algorithm.ED25519, bytes(range(32, 64)))


def held(key: SigningKey) -> Key:
    """The node's side of a key."""
    return Key(key.id, key.algorithm, material_of(key))


RING = KeyRing(map(held, (SIGNING, SHARED, OTHER)))


def unsigned(
    body: bytes = BODY, *, method: str = "POST", url: str = URL, lines: tuple[Line, ...] = ()
) -> Message:
    """A request whose body, if any, is JSON."""
    of_body = ((b"Content-Type", b"application/json"),) if body else ()
    return request_to(url, method=method, fields=Fields((*of_body, *lines)), body=body)


def signed(
    message: Message | None = None,
    *,
    key: SigningKey = SIGNING,
    now: float = NOW,
    nonce: str = NONCE,
    options: SigningOptions = SigningOptions(),
) -> Message:
    """The message (by default a POST with a body) with the lines that sign it."""
    message = unsigned() if message is None else message
    return with_lines(message, *sign(message, key, now=now, nonce=nonce, options=options))


def with_lines(message: Message, *lines: Line) -> Message:
    """A copy with these lines at the end."""
    return replace(message, fields=message.fields.with_added(*lines))


def edited(message: Message, edits: Mapping[bytes, bytes | None]) -> Message:
    """A copy with other values of fields, by lower-case name; None takes the field away."""
    fields = message.fields
    for name, value in edits.items():
        fields = fields.without((name,)) if value is None else fields.with_set(name, value)
    return replace(message, fields=fields)


def substituted(message: Message, name: bytes, old: bytes, new: bytes) -> Message:
    """A copy with `old` replaced in one field, where it has to be."""
    value = message.fields.combined(name)
    assert value is not None and old in value, (name, old, value)
    return edited(message, {name: value.replace(old, new)})
