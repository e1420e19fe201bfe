"""Domain names as they stand on the wire. PURE.

Owns: reading a name out of a message, its textual form both ways, and the way up from a name to the root. Rules: a name is
its wire form, length-prefixed labels to the root's zero octet; what is looked up is lower case (RFC 4343), what is echoed
is what came. A pointer leads only backwards to before where its name began, so reading always ends. RFC 1035 s3.1, s4.1.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NewType

Name = NewType("Name", bytes)
"""Lower case, wire form, no pointers: b"\\x03www\\x07example\\x00"."""

ROOT = Name(b"\0")

MAX_NAME_BYTES = 255
MAX_LABEL_BYTES = 63
POINTER = 0xC0

_ESCAPED = re.compile(rb"\\([0-9]{3}|[^0-9])|([^\\.])|(\.)", re.DOTALL)
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/")


class BadName(ValueError):
    """These bytes, or this text, are no domain name."""


def read_name(message: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at` in a message, without pointers and in its own case, and where what follows begins.

    Raises BadName: cut off, over 255 octets, a label type that is none, a pointer that does not lead back.
    """
    labels: list[bytes] = []
    size = 1
    end: int | None = None
    earliest = at
    size_of_message = len(message)
    while True:
        if at >= size_of_message:
            raise BadName("the name is cut off")
        length = message[at]
        if length == 0:
            labels.append(b"\0")
            return b"".join(labels), at + 1 if end is None else end
        if length >= POINTER:
            if at + 1 >= size_of_message:
                raise BadName("the pointer is cut off")
            target = (length & 0x3F) << 8 | message[at + 1]
            if target >= earliest:
                raise BadName("the pointer does not lead back")
            end = at + 2 if end is None else end
            at = earliest = target
            continue
        if length > MAX_LABEL_BYTES:
            raise BadName("this label type is not in use")
        size += length + 1
        if size > MAX_NAME_BYTES:
            raise BadName("the name is longer than 255 octets")
        label = message[at : at + length + 1]
        if len(label) <= length:
            raise BadName("the label is cut off")
        labels.append(label)
        at += length + 1


def name_of(text: str, origin: Name = ROOT) -> Name:
    """The name that a text means; without a final dot it is below `origin`. "@" is the origin itself.

    Escapes as in zone files (RFC 1035 s5.1). Raises BadName.
    """
    if text == "@":
        return origin
    if text == ".":
        return ROOT
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise BadName(f"{text!r} is not ASCII; write the xn-- form") from None
    labels = [bytearray()]
    at = 0
    while at < len(raw):
        part = _ESCAPED.match(raw, at)
        if part is None:
            raise BadName(f"{text!r} ends in half an escape")
        at = part.end()
        escaped, plain, dot = part.groups()
        if dot is not None:
            labels.append(bytearray())
        elif plain is not None:
            labels[-1] += plain
        elif len(escaped) == 1:
            labels[-1] += escaped
        elif int(escaped) > 255:
            raise BadName(f"{text!r} has an escape above 255")
        else:
            labels[-1].append(int(escaped))
    absolute = len(labels) > 1 and not labels[-1]
    if absolute:
        labels.pop()
    return _joined(text, labels, ROOT if absolute else origin)


def _joined(text: str, labels: list[bytearray], origin: Name) -> Name:
    if not all(labels):
        raise BadName(f"{text!r} has an empty label")
    if any(len(label) > MAX_LABEL_BYTES for label in labels):
        raise BadName(f"{text!r} has a label longer than {MAX_LABEL_BYTES} octets")
    made = b"".join(bytes((len(label),)) + bytes(label) for label in labels) + origin
    if len(made) > MAX_NAME_BYTES:
        raise BadName(f"{text!r} is longer than {MAX_NAME_BYTES} octets")
    return Name(made.lower())


def text_of(name: bytes) -> str:
    """With a final dot; octets that mean something else are escaped, so the text is one printable word."""
    if name == ROOT:
        return "."
    parts: list[str] = []
    for label in labels_of(name):
        parts += [chr(c) if c in _PLAIN else f"\\{c:03d}" for c in label]
        parts.append(".")
    return "".join(parts)


def labels_of(name: bytes) -> list[bytes]:
    """Without their lengths, from the left; of the root none."""
    labels: list[bytes] = []
    at = 0
    while length := name[at]:
        labels.append(name[at + 1 : at + 1 + length])
        at += length + 1
    return labels


def ancestors(name: Name) -> Iterator[Name]:
    """The name itself, its parent, and so on, the root last."""
    at = 0
    while length := name[at]:
        yield Name(name[at:])
        at += length + 1
    yield ROOT


def parent_of(name: Name) -> Name:
    """One label shorter; of the root itself."""
    return Name(name[name[0] + 1 :]) if name[0] else ROOT


def is_within(name: Name, zone: Name) -> bool:
    """Whether it is the zone's name or below it."""
    return any(each == zone for each in ancestors(name))


def wildcard_below(name: Name) -> Name:
    """`*.name`."""
    return Name(b"\x01*" + name)
