"""Structured field values: a strict reader and writer. PURE.

Owns: RFC 9651 items, lists, dictionaries, inner lists, parameters and all bare types, Date and Display String too.
Rules: strict both ways - what the RFC's algorithms fail on raises `NotStructured`, and then the whole field counts for
nothing (RFC 9651 s4.2); several lines are joined with ", " by the caller (`Fields.combined`) before they are read.
Keys, strings and tokens are `str` (they are ASCII by grammar, a Display String is Unicode), byte sequences are `bytes`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar, assert_never

INTEGER_MAX = 999_999_999_999_999
"""RFC 9651 s3.3.1: fifteen digits, either sign."""

DECIMAL_BOUND = 10**12
"""RFC 9651 s3.3.2: at most twelve digits before the point, three after it."""

_THOUSANDTH = Decimal("0.001")


class NotStructured(ValueError):
    """The bytes are no structured field of the type asked for, or the value cannot be written as one."""


@dataclass(frozen=True, slots=True)
class Token:
    """A short word without quotes, RFC 9651 s3.3.4."""

    value: str


@dataclass(frozen=True, slots=True)
class Date:
    """Whole unix seconds, RFC 9651 s3.3.7."""

    seconds: int


@dataclass(frozen=True, slots=True)
class DisplayString:
    """Unicode text for people, RFC 9651 s3.3.8."""

    value: str


BareItem = bool | int | Decimal | str | Token | bytes | Date | DisplayString
Parameters = tuple[tuple[str, BareItem], ...]
"""In order, each key once."""


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item with parameters, RFC 9651 s3.3."""

    value: BareItem
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class InnerList:
    """Items in parentheses with parameters of their own, RFC 9651 s3.1.1."""

    items: tuple[Item, ...]
    parameters: Parameters = ()


Member = Item | InnerList

_Read = TypeVar("_Read")

_KEY = re.compile(rb"[a-z*][a-z0-9_\-.*]*")
_NUMBER = re.compile(rb"(-?)([0-9]+)(?:(\.)([0-9]*))?")
_STRING = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])*+)"')
_TOKEN = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_BYTES = re.compile(rb":([A-Za-z0-9+/]*+)(={0,2}):")
_BOOLEAN = re.compile(rb"\?([01])")
_DATE = re.compile(rb"@(?=-?[0-9])")
_DISPLAY = re.compile(rb'%"((?:[ !#$&-~]|%[0-9a-f]{2})*+)"')
_DISPLAY_ESCAPE = re.compile(rb"%([0-9a-f]{2})")
_SPACES = re.compile(rb" *")
_OWS = re.compile(rb"[ \t]*")
_WRITABLE_STRING = re.compile(r"[ -~]*")


# --- reading, RFC 9651 s4.2 ---


def parse_item(value: bytes) -> Item:
    """The field as one item. Raises NotStructured."""
    return _whole(value, _item)


def parse_list(value: bytes) -> tuple[Member, ...]:
    """The field as a list, () when it is empty. Raises NotStructured."""
    return _whole(value, _list)


def parse_dictionary(value: bytes) -> dict[str, Member]:
    """The field as a dictionary, {} when it is empty; of a repeated key the last value counts. Raises NotStructured."""
    return dict(parse_members(value))


def parse_members(value: bytes) -> tuple[tuple[str, Member], ...]:
    """The members of a dictionary in order, those of repeated keys too: for who must refuse these. Raises NotStructured."""
    return _whole(value, _dictionary)


def _whole(value: bytes, read: Callable[[_Cursor], _Read]) -> _Read:
    cursor = _Cursor(value)
    cursor.skip(_SPACES)
    result = read(cursor)
    cursor.skip(_SPACES)
    if not cursor.at_end:
        raise cursor.wrong("nothing more")
    return result


class _Cursor:
    """A position in the bytes; each method moves it forward or leaves it."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def at_end(self) -> bool:
        return self.at >= len(self.data)

    def skip(self, blank: re.Pattern[bytes]) -> None:
        found = blank.match(self.data, self.at)
        assert found is not None, "blanks match the empty string"
        self.at = found.end()

    def take(self, char: bytes) -> bool:
        """True, and past it, when `char` comes next."""
        if self.data.startswith(char, self.at):
            self.at += 1
            return True
        return False

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        found = pattern.match(self.data, self.at)
        if found is None:
            raise self.wrong(what)
        self.at = found.end()
        return found

    def wrong(self, what: str) -> NotStructured:
        return NotStructured(f"wanted {what} at byte {self.at}")


def _list(cursor: _Cursor) -> tuple[Member, ...]:
    members: list[Member] = []
    while not cursor.at_end:
        members.append(_member(cursor))
        if not _comma(cursor):
            break
    return tuple(members)


def _dictionary(cursor: _Cursor) -> tuple[tuple[str, Member], ...]:
    members: list[tuple[str, Member]] = []
    while not cursor.at_end:
        key = _key(cursor)
        members.append((key, _member(cursor) if cursor.take(b"=") else Item(True, _parameters(cursor))))
        if not _comma(cursor):
            break
    return tuple(members)


def _comma(cursor: _Cursor) -> bool:
    """Past the comma and its white space; False when there is none. A comma with nothing after it is wrong."""
    before = cursor.at
    cursor.skip(_OWS)
    if not cursor.take(b","):
        cursor.at = before  # only SP may end a field, HTAB not: the caller looks
        return False
    cursor.skip(_OWS)
    if cursor.at_end:
        raise cursor.wrong("a member after the comma")
    return True


def _member(cursor: _Cursor) -> Member:
    if not cursor.take(b"("):
        return _item(cursor)
    items: list[Item] = []
    while True:
        cursor.skip(_SPACES)
        if cursor.take(b")"):
            return InnerList(tuple(items), _parameters(cursor))
        items.append(_item(cursor))
        if not cursor.data.startswith((b" ", b")"), cursor.at):
            raise cursor.wrong("a space or ')'")


def _item(cursor: _Cursor) -> Item:
    return Item(_bare_item(cursor), _parameters(cursor))


def _parameters(cursor: _Cursor) -> Parameters:
    parameters: dict[str, BareItem] = {}
    while cursor.take(b";"):
        cursor.skip(_SPACES)
        key = _key(cursor)
        parameters[key] = _bare_item(cursor) if cursor.take(b"=") else True
    return tuple(parameters.items())


def _key(cursor: _Cursor) -> str:
    return cursor.match(_KEY, "a key").group().decode("ascii")


def _bare_item(cursor: _Cursor) -> BareItem:
    first = cursor.data[cursor.at : cursor.at + 1]
    if first.isdigit() or first == b"-":
        return _number(cursor)
    if first == b'"':
        text = cursor.match(_STRING, "a string").group(1)
        return (
            text.replace(b'\\"', b'"').replace(b"\\\\", b"\\").decode("ascii")
            if b"\\" in text
            else text.decode()
        )
    if first == b":":
        return _byte_sequence(cursor)
    if first == b"?":
        return cursor.match(_BOOLEAN, "?0 or ?1").group(1) == b"1"
    if first == b"@":
        cursor.match(_DATE, "a date")
        seconds = _number(cursor)
        if not isinstance(seconds, int):
            raise cursor.wrong("a date in whole seconds")
        return Date(seconds)
    if first == b"%":
        return _display_string(cursor)
    return Token(cursor.match(_TOKEN, "an item").group().decode("ascii"))


def _number(cursor: _Cursor) -> int | Decimal:
    found = cursor.match(_NUMBER, "a number")
    sign, whole, point, fraction = found.groups()
    if point is None:
        if len(whole) > 15:
            raise cursor.wrong("at most 15 digits")
        return int(sign + whole)
    if len(whole) > 12 or not 1 <= len(fraction) <= 3:
        raise cursor.wrong("at most 12 digits, a point and 1 to 3 digits")
    return Decimal(found.group().decode("ascii"))


def _byte_sequence(cursor: _Cursor) -> bytes:
    digits = cursor.match(_BYTES, "base64 between colons").group(1)
    if len(digits) % 4 == 1:
        raise cursor.wrong("whole base64")
    # missing padding and pad bits that are not zero are let through, as RFC 9651 s4.2.7 asks
    return b64decode(digits + b"=" * (-len(digits) % 4))


def _display_string(cursor: _Cursor) -> DisplayString:
    escaped = cursor.match(_DISPLAY, "a display string").group(1)
    octets = _DISPLAY_ESCAPE.sub(lambda hexadecimal: bytes.fromhex(hexadecimal.group(1).decode()), escaped)
    try:
        return DisplayString(octets.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise cursor.wrong("UTF-8 in a display string") from fault


# --- writing, RFC 9651 s4.1 ---


def render_item(item: Item) -> bytes:
    """The bytes of one item. Raises NotStructured when the value has no such form."""
    return _render_bare(item.value) + _render_parameters(item.parameters)


def render_list(members: Iterable[Member]) -> bytes:
    """The bytes of a list; b"" when it is empty: then the field is not sent at all. Raises NotStructured."""
    return b", ".join(render_member(member) for member in members)


def render_dictionary(members: Mapping[str, Member]) -> bytes:
    """The bytes of a dictionary; b"" when it is empty: then the field is not sent at all. Raises NotStructured."""
    rendered = []
    for key, member in members.items():
        if isinstance(member, Item) and member.value is True:
            rendered.append(_render_key(key) + _render_parameters(member.parameters))
        else:
            rendered.append(_render_key(key) + b"=" + render_member(member))
    return b", ".join(rendered)


def render_member(member: Member) -> bytes:
    """The bytes of an item or inner list, parameters included. Raises NotStructured."""
    if isinstance(member, Item):
        return render_item(member)
    return b"(%b)" % b" ".join(map(render_item, member.items)) + _render_parameters(member.parameters)


def _render_parameters(parameters: Parameters) -> bytes:
    return b"".join(
        b";" + _render_key(key) + (b"" if value is True else b"=" + _render_bare(value))
        for key, value in parameters
    )


def _render_key(key: str) -> bytes:
    return _checked(_KEY, key, "key")


def _checked(pattern: re.Pattern[bytes], text: str, what: str) -> bytes:
    octets = text.encode("utf-8")
    if pattern.fullmatch(octets) is None:
        raise NotStructured(f"{text!r} is no {what}")
    return octets


def _render_bare(value: BareItem) -> bytes:
    match value:
        case bool():
            return b"?1" if value else b"?0"
        case int():
            return _render_integer(value)
        case Decimal():
            return _render_decimal(value)
        case str():
            if _WRITABLE_STRING.fullmatch(value) is None:
                raise NotStructured(f"{value!r} has characters that a string cannot carry")
            return b'"%b"' % value.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        case Token():
            return _checked(_TOKEN, value.value, "token")
        case bytes():
            return b":%b:" % b64encode(value)
        case Date():
            return b"@" + _render_integer(value.seconds)
        case DisplayString():
            return _render_display_string(value)
        case _:  # pragma: no cover - mypy holds it
            assert_never(value)


def _render_integer(value: int) -> bytes:
    if abs(value) > INTEGER_MAX:
        raise NotStructured(f"{value} has more than 15 digits")
    return b"%d" % value


def _render_decimal(value: Decimal) -> bytes:
    if not value.is_finite() or abs(value) >= DECIMAL_BOUND:
        raise NotStructured(f"{value} has more than 12 digits before the point")
    rounded = value.quantize(_THOUSANDTH, ROUND_HALF_EVEN)
    if abs(rounded) >= DECIMAL_BOUND:
        raise NotStructured(f"{value} has more than 12 digits before the point")
    digits = f"{rounded:f}".rstrip("0")
    return (digits + "0" if digits.endswith(".") else digits).encode("ascii")


def _render_display_string(value: DisplayString) -> bytes:
    try:
        octets = value.value.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise NotStructured("a lone surrogate is no Unicode text") from fault
    # % and " and all that is not printable ASCII
    plain = (b"%c" % o if 0x20 <= o <= 0x7E and o not in b'%"' else b"%%%02x" % o for o in octets)
    return b'%%"%b"' % b"".join(plain)
