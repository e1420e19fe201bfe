"""Kinds for DNS names, cookie secrets and the values of static records. PURE. RFC 1035 s2.3.1, s5.1, RFC 8659 s4.

Rules: a name of a record is relative to its zone ("@" is the zone itself), every other name is absolute with or without the
last dot: there is no dot whose lack changes what is meant, which is the oldest trap of zone files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from edge.settings.dns import Certification, MailExchange, RecordType, RecordValue, Strings
from edge.settings.kinds import Kind
from edge.settings.problems import quoted, refused, shown

MAX_NAME = 253
"""Characters without the last dot: 255 bytes on the wire (RFC 1035 s2.3.4)."""
MAX_TEXT = 4_000
"""Bytes of one TXT value; with TCP more would go, but no record needs it."""
SECRET_BYTES = 16

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ABSOLUTE = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_RELATIVE = re.compile(rf"@|\*|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_SECRET = re.compile(r"[0-9a-fA-F]{32}")
_MX = re.compile(r"([0-9]{1,5})[ \t]+(\S+)")
_CAA = re.compile(r"([0-9]{1,3})[ \t]+([a-z0-9]{1,15})[ \t]+(\S(?:.*\S)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DnsName(Kind[bytes]):
    """An absolute name."""

    def read(self, value: object) -> bytes:
        """Lower case, without the last dot."""
        text = value.lower().removesuffix(".") if isinstance(value, str) else ""
        if len(text) > MAX_NAME or _ABSOLUTE.fullmatch(text) is None:
            raise refused(f"{shown(value)} is no DNS name", f"allowed: {self.allowed()}")
        return text.encode("ascii")

    def allowed(self) -> str:
        """Its form."""
        return 'a whole name, as in "ns1.example.net"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


@dataclass(frozen=True, slots=True)
class RecordName(Kind[bytes]):
    """A name within a zone."""

    def read(self, value: object) -> bytes:
        """Lower case, relative; `@` is the zone."""
        text = value.lower() if isinstance(value, str) else ""
        if len(text) > MAX_NAME or _RELATIVE.fullmatch(text) is None:
            hint = "leave the zone's name and the last dot out; " if text.endswith(".") else ""
            raise refused(f"{shown(value)} is no name within a zone", f"{hint}allowed: {self.allowed()}")
        return text.encode("ascii")

    def allowed(self) -> str:
        """Its form."""
        return '"@" for the zone itself, or a name relative to it, as in "www" or "*.static"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


@dataclass(frozen=True, slots=True)
class CookieSecret(Kind[bytes]):
    """A secret of RFC 9018 s5."""

    def read(self, value: object) -> bytes:
        """16 bytes. The value is not quoted in errors."""
        if not isinstance(value, str) or _SECRET.fullmatch(value) is None:
            raise refused("it is no secret", f"allowed: {self.allowed()}")
        return bytes.fromhex(value)

    def allowed(self) -> str:
        """Its form."""
        return f"{2 * SECRET_BYTES} hexadecimal digits, as `openssl rand -hex {SECRET_BYTES}` prints them"

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.hex())


def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _ipv6(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(text) if "%" not in text else None
    except ValueError:
        return None


def _name(text: str) -> bytes | None:
    """A single label is refused unless its dot says that it is whole: who writes `www` means www of the zone."""
    name = text.lower().removesuffix(".")
    if len(name) > MAX_NAME or _ABSOLUTE.fullmatch(name) is None or "." not in text:
        return None
    return name.encode("ascii")


def _mail(text: str) -> MailExchange | None:
    if text == "0 .":
        return MailExchange(0, b"")  # RFC 7505: no mail here
    found = _MX.fullmatch(text)
    exchange = _name(found[2]) if found is not None else None
    if found is None or exchange is None or int(found[1]) > 65_535:
        return None
    return MailExchange(int(found[1]), exchange)


def _strings(text: str) -> Strings | None:
    data = text.encode("utf-8")
    if len(data) > MAX_TEXT:
        return None
    return Strings(tuple(data[at : at + 255] for at in range(0, len(data), 255)) or (b"",))


def _certification(text: str) -> Certification | None:
    found = _CAA.fullmatch(text)
    if found is None or int(found[1]) > 255 or not text.isascii():
        return None
    value = found[3]
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        value = value[1:-1]
    if '"' in value or "\\" in value:
        return None
    return Certification(int(found[1]), found[2].lower().encode("ascii"), value.encode("ascii"))


_READERS = MappingProxyType(
    {
        RecordType.A: (_ipv4, '"192.0.2.1"'),
        RecordType.AAAA: (_ipv6, '"2001:db8::1"'),
        RecordType.CNAME: (_name, '"www.example.org", the whole name'),
        RecordType.NS: (_name, '"ns1.example.org", the whole name'),
        RecordType.MX: (_mail, '"10 mail.example.org", the whole name, or "0 ." for none'),
        RecordType.TXT: (_strings, '"v=spf1 -all"'),
        RecordType.CAA: (_certification, "'0 issue \"ca.example\"'"),
    }
)


@dataclass(frozen=True, slots=True)
class ValueOf(Kind[RecordValue]):
    """One value of a static record of a type."""

    type: RecordType

    def read(self, value: object) -> RecordValue:
        """The value, parsed."""
        reader, _ = _READERS[self.type]
        known = reader(value) if isinstance(value, str) and value.isprintable() else None
        if known is None:
            raise refused(f"{shown(value)} is no value of {self.type.value}", f"write {self.allowed()}")
        return known

    def allowed(self) -> str:
        """An example."""
        return f"it as in {_READERS[self.type][1]}"

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(presented(value))


def presented(value: object) -> str:
    """A record's value as a person writes it."""
    match value:
        case bytes():
            return value.decode("ascii")
        case MailExchange():
            return f"{value.preference} {value.exchange.decode('ascii') or '.'}"
        case Certification():
            return f'{value.flags} {value.tag.decode("ascii")} "{value.value.decode("ascii")}"'
        case Strings():
            return b"".join(value.parts).decode("utf-8")
        case _:
            return str(value)
