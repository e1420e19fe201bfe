"""Kinds for field names, field lines, cookies and the query rule. PURE. RFC 9110 s5.1, s5.5, s5.6.2.

Owns: which fields an operator may not edit, and why. Rules: a field that frames a message, belongs to one connection,
or keeps a request from looping is never edited by a setting; a value holds nothing that could end its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edge.semantics.message import Line
from edge.semantics.rules import COUNTRY, QueryRule
from edge.settings.composed import ListOf
from edge.settings.kinds import Kind, Text, nearest
from edge.settings.problems import Fault, Path, Refused, quoted, refused, shown
from edge.wire.grammar import HOP_BY_HOP, TOKEN

MAX_NAME = 128
MAX_VALUE = 8_192
"""Bytes; what common servers take as a whole request line."""
MAX_LINES = 100

_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")

_FRAMING = dict.fromkeys(
    (b"content-length", b"transfer-encoding", b"trailer", b"content-range"),
    "it frames the message, which the edge does by itself; leave it out",
)
_CONDITIONS = dict.fromkeys(
    (b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"),
    "it asks for a part or a check of a response, not for another one; leave it out",
)
_HOP = dict.fromkeys(HOP_BY_HOP, "it belongs to one connection and is never passed on; leave it out")
_LOOP = {b"cdn-loop": "the edge writes it and finds loops by it (RFC 8586); leave it out"}

NEVER_EDITED: Mapping[bytes, str] = MappingProxyType(
    {
        **_HOP,
        **_FRAMING,
        **_LOOP,
        b"host": "it names the site; write origin.host_header for another one towards the origin",
    }
)
"""Lower-case name to what to do instead; on every side."""

NEVER_TO_ORIGIN: Mapping[bytes, str] = MappingProxyType(
    {**NEVER_EDITED, b"via": "a request must carry it (RFC 9110 s7.6.3); leave it out"}
)
NEVER_TO_CLIENT: Mapping[bytes, str] = MappingProxyType(
    {**NEVER_EDITED, b"age": "a cache must write it (RFC 9111 s5.1); leave it out"}
)
NEVER_IN_KEY: Mapping[bytes, str] = MappingProxyType(
    {
        **_HOP,
        **_FRAMING,
        **_LOOP,
        b"host": "it is part of every key already; leave it out",
        b"cookie": "write the cookies' names in key.cookies",
        COUNTRY: "it is set by us; write key.country",
        **_CONDITIONS,
    }
)


@dataclass(frozen=True, slots=True)
class FieldName(Kind[bytes]):
    """A field's name. never: lower-case names that are refused, and what to do instead. lower: case is dropped."""

    never: Mapping[bytes, str] = field(default_factory=lambda: NEVER_EDITED)
    lower: bool = True

    def read(self, value: object) -> bytes:
        """Bytes."""
        name = value.encode("utf-8", "replace") if isinstance(value, str) else b""
        if TOKEN.fullmatch(name) is None or len(name) > MAX_NAME:
            raise refused(f"{shown(value)} is no field name", f"allowed: {self.allowed()}")
        why = self.never.get(name.lower())
        if why is not None:
            raise refused(f"{shown(value)} cannot be named here", why)
        return name.lower() if self.lower else name

    def allowed(self) -> str:
        """Its form."""
        return "a field name such as X-Frame-Options (letters, digits, !#$%&'*+-.^_`|~)"

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


@dataclass(frozen=True, slots=True)
class FieldLines(Kind[tuple[Line, ...]]):
    """A table of field names, each with its value or an array of values."""

    name: FieldName

    def read(self, value: object) -> tuple[Line, ...]:
        """Lines in their order, names spelled as written."""
        if not isinstance(value, dict):
            raise refused(
                f"{shown(value)} is no table",
                f'write a table such as {{ "X-Served-For" = "..." }}; {self.allowed()}',
            )
        lines: list[Line] = []
        faults: list[Fault] = []
        for name, inner in value.items():
            at: Path = (name,)
            try:
                spelled = self.name.read(name)
                lines += [(spelled, read) for read in _values(inner)]
            except Refused as refusal:
                faults += [Fault(f.wrong, f.instead, at + f.at) for f in refusal.faults]
        if not faults and len(lines) > MAX_LINES:
            faults.append(Fault(f"it has {len(lines)} lines", f"allowed: {self.allowed()}"))
        if faults:
            raise Refused(faults)
        return tuple(lines)

    def allowed(self) -> str:
        """Names and values."""
        return (
            f"a table of up to {MAX_LINES} lines: a field name, and a value or an array of values, each on one line, "
            f'up to {MAX_VALUE} bytes, or {{ env = "NAME" }}'
        )

    def write(self, value: object) -> str:
        """Inline."""
        assert isinstance(value, tuple), value
        held: dict[bytes, list[bytes]] = {}
        for name, text in value:
            held.setdefault(name, []).append(text)
        said = [
            f"{quoted(name.decode('ascii'))} = [{', '.join(quoted(text.decode('utf-8')) for text in texts)}]"
            for name, texts in held.items()
        ]
        return f"{{ {', '.join(said)} }}" if said else "{}"


def _values(value: object) -> tuple[bytes, ...]:
    if isinstance(value, list):
        return ListOf(FieldValue(), max_items=MAX_LINES, min_items=1).read(value)
    return (FieldValue().read(value),)


@dataclass(frozen=True, slots=True)
class FieldValue(Kind[bytes]):
    """A field's value. It may come from the environment, so it is never quoted back."""

    def read(self, value: object) -> bytes:
        """UTF-8 bytes."""
        if not isinstance(value, str):
            raise refused(f"{shown(value)} is no text", "write the value in quotes")
        text = value.encode("utf-8", "replace")
        if any(bad in text for bad in (b"\r", b"\n", b"\0")):
            raise refused(
                "its value has a CR, LF or NUL in it", "write one line; these could forge another field"
            )
        if _VALUE.fullmatch(text) is None or len(text) > MAX_VALUE:
            raise refused("its value cannot be sent", f"allowed: {self.allowed()}")
        return text

    def allowed(self) -> str:
        """Its form."""
        return f"1 to {MAX_VALUE} bytes on one line, no control characters, no white space around it"

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("utf-8"))


@dataclass(frozen=True, slots=True)
class Token(Kind[bytes]):
    """A cookie's name, a content coding: an RFC 9110 token. what: its name, with an article."""

    what: str
    lower: bool = False

    def read(self, value: object) -> bytes:
        """Bytes."""
        token = value.encode("utf-8", "replace") if isinstance(value, str) else b""
        if TOKEN.fullmatch(token) is None or len(token) > MAX_NAME:
            raise refused(f"{shown(value)} is not {self.what}", f"allowed: {self.allowed()}")
        return token.lower() if self.lower else token

    def allowed(self) -> str:
        """Its form."""
        return f"{self.what} (letters, digits, !#$%&'*+-.^_`|~)"

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


@dataclass(frozen=True, slots=True)
class Status(Kind[int]):
    """A final status code as the name of a table's entry."""

    def read(self, value: object) -> int:
        """The number; not 206 and 304, which are about other responses."""
        known = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3
        status = int(str(value)) if known else 0
        if not 200 <= status <= 599 or status in {206, 304}:
            raise refused(
                f"{shown(value)} is no status that is stored by itself", f"allowed: {self.allowed()}"
            )
        return status

    def allowed(self) -> str:
        """The range."""
        return "200 to 599, without 206 and 304"

    def write(self, value: object) -> str:
        """Digits are a bare key."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Query(Kind[tuple[QueryRule, frozenset[bytes]]]):
    """What of the query is in the key: a word, or names to allow or to deny."""

    words = (QueryRule.ALL, QueryRule.SORTED, QueryRule.NONE)
    lists = (QueryRule.ALLOW, QueryRule.DENY)

    def read(self, value: object) -> tuple[QueryRule, frozenset[bytes]]:
        """The rule, and the parameter names of ALLOW and DENY as raw bytes."""
        if isinstance(value, dict) and len(value) == 1:
            word, names = next(iter(value.items()))
            for rule in self.lists:
                if rule.value == word:
                    return rule, self._names(word, names)
        for rule in self.words:
            if rule.value == value:
                return rule, frozenset()
        hint = nearest(value, [rule.value for rule in self.words]) if isinstance(value, str) else ""
        raise refused(f"{shown(value)} is not known here", f"{hint}allowed: {self.allowed()}")

    def _names(self, word: str, value: object) -> frozenset[bytes]:
        try:
            names = ListOf(Text("a parameter name", 128), max_items=200, min_items=1).read(value)
        except Refused as refusal:
            raise Refused(Fault(f.wrong, f.instead, (word, *f.at)) for f in refusal.faults) from None
        faults = [
            Fault(
                f"{quoted(name)} can be in no parameter's name",
                "write it as in the URL, percent-encoded",
                (word, i),
            )
            for i, name in enumerate(names)
            if not name.isascii() or any(bad in name for bad in "&=# ")
        ]
        if faults:
            raise Refused(faults)
        return frozenset(name.encode("ascii") for name in names)

    def allowed(self) -> str:
        """Words and forms."""
        return '"all", "sorted", "none", { allow = ["name", ...] } or { deny = ["name", ...] }'

    def write(self, value: object) -> str:
        """A word or an inline table."""
        assert isinstance(value, tuple), value
        rule, names = value
        if rule in self.words:
            return quoted(rule.value)
        return f"{{ {rule.value} = [{', '.join(quoted(name.decode('ascii')) for name in sorted(names))}] }}"
