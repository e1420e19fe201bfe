"""Kinds for host names, origins, sockets, networks and files. PURE. RFC 3986 s3.2, RFC 1034 s3.5.

Rules: what is nearly right is refused with the right text to write ("http://" missing, a port where none belongs,
letters that need punycode). Names are kept in lower case, IPv6 addresses in brackets, as in `Authority`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from edge.semantics.rules import OriginAddress
from edge.settings.composed import ListOf
from edge.settings.kinds import Kind
from edge.settings.node import ListenAddress, Nameserver, Network
from edge.settings.problems import Fault, Refused, quoted, refused, shown

MAX_HOST = 253

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r"[0-9]{1,5}")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")


def host_of(text: str) -> str | None:
    """A host as `Authority` has it, from a name in any case or an IP address; None when it is neither."""
    lower = text.lower()
    if lower.startswith("[") and lower.endswith("]"):
        address = _address(lower[1:-1])
        return f"[{address}]" if isinstance(address, IPv6Address) else None
    if len(lower) > MAX_HOST or _NAME.fullmatch(lower) is None:
        return None
    if lower.rsplit(".", 1)[-1].isdigit():  # RFC 3986 s3.2.2: what ends like an IPv4 address has to be one
        return lower if _address(lower) is not None else None
    return lower


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if "%" in text:  # a zone means something on this machine only
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def _punycode(text: str) -> str | None:
    try:
        return text.encode("idna").decode("ascii") if not text.isascii() else None
    except UnicodeError:
        return None


@dataclass(frozen=True, slots=True)
class HostName(Kind[bytes]):
    """A site's host name, an address, `*.name`, or `*`."""

    def read(self, value: object) -> bytes:
        """Lower case."""
        if not isinstance(value, str):
            raise refused(f"{shown(value)} is no host name", f"allowed: {self.allowed()}")
        if value == "*":
            return b"*"
        star, bare = ("*.", value[2:]) if value.startswith("*.") else ("", value)
        host = host_of(bare)
        if host is None or (star and _address(host.strip("[]")) is not None):
            raise refused(f"{shown(value)} is no host name", f"{_host_hint(value)}allowed: {self.allowed()}")
        return (star + host).encode("ascii")

    def allowed(self) -> str:
        """Its form."""
        return '"www.example.org", "*.example.org", "192.0.2.1", "[2001:db8::1]", or "*" for every host'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


def _host_hint(text: str) -> str:
    """`write "..."; ` where it can be told what was meant."""
    if len(text) > 2 * MAX_HOST:
        return ""
    meant: str | None = text.rstrip(".")
    if "://" in text:
        try:
            meant = urlsplit(text).hostname
        except ValueError:
            meant = None
    elif isinstance(_address(text), IPv6Address):
        meant = f"[{text}]"
    elif text.count(":") == 1:
        meant = text.partition(":")[0]
    elif not text.isascii():
        meant = _punycode(text)
    meant = None if meant is None else host_of(meant)
    return f"write {quoted(meant)}; " if meant else ""


@dataclass(frozen=True, slots=True)
class HostNames(Kind[tuple[bytes, ...]]):
    """A site's host names; `["*"]` is read as (), every host."""

    names = ListOf(HostName(), max_items=1000, min_items=1)

    def read(self, value: object) -> tuple[bytes, ...]:
        """As in `SiteRules.hostnames`."""
        names = self.names.read(value)
        if b"*" in names and len(names) > 1:
            raise Refused(
                (
                    Fault(
                        '"*" takes every host, so the others are not needed',
                        'write ["*"] alone',
                        (names.index(b"*"),),
                    ),
                )
            )
        return () if names == (b"*",) else names

    def allowed(self) -> str:
        """Names."""
        return self.names.allowed()

    def write(self, value: object) -> str:
        """In brackets."""
        return self.names.write(value or (b"*",))


@dataclass(frozen=True, slots=True)
class HostHeader(Kind[bytes]):
    """host[:port], as in a Host field."""

    def read(self, value: object) -> bytes:
        """Lower case."""
        host, port = _split_port(value) if isinstance(value, str) else ("", None)
        known = host_of(host)
        if known is None or (port is not None and not _is_port(port, lowest=1)):
            raise refused(f"{shown(value)} is no host", f"allowed: {self.allowed()}")
        return (known if port is None else f"{known}:{int(port)}").encode("ascii")

    def allowed(self) -> str:
        """Its form."""
        return 'a host with or without a port, as in "app.example.org:8443"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


@dataclass(frozen=True, slots=True)
class ServerName(Kind[str]):
    """A host name as TLS has it (SNI)."""

    def read(self, value: object) -> str:
        """Lower case; an IPv6 address without brackets."""
        known = host_of(value) if isinstance(value, str) else None
        if known is None:
            raise refused(f"{shown(value)} is no host name", f"allowed: {self.allowed()}")
        return known.strip("[]")

    def allowed(self) -> str:
        """Its form."""
        return 'a host name such as "app.example.org"'

    def write(self, value: object) -> str:
        """In quotes."""
        host = str(value)
        return quoted(f"[{host}]" if ":" in host else host)


def _split_port(text: str) -> tuple[str, str | None]:
    """(host, port) of host:port; the port is None when none is written."""
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and not text.endswith("]") else (text, None)


def _is_port(text: str, *, lowest: int) -> bool:
    return _PORT.fullmatch(text) is not None and lowest <= int(text) <= 65535


@dataclass(frozen=True, slots=True)
class OriginUrl(Kind[OriginAddress]):
    """An origin: scheme, host, port, and a path put before every target."""

    def read(self, value: object) -> OriginAddress:
        """The address with its port filled in."""
        if not isinstance(value, str):
            raise refused(f"{shown(value)} is no URL", f"allowed: {self.allowed()}")
        if "://" not in value:
            guess = (
                f"write {quoted(f'http://{value}')}; "
                if len(value) < 200 and self._parsed(f"http://{value}")
                else ""
            )
            raise refused(f"{shown(value)} has no scheme", f"{guess}allowed: {self.allowed()}")
        address = self._parsed(value)
        if address is None:
            raise refused(
                f"{shown(value)} is no origin", f"allowed: {self.allowed()}; no user, query or fragment"
            )
        return address

    def _parsed(self, text: str) -> OriginAddress | None:
        scheme, _, rest = text.partition("://")
        authority, slash, path = rest.partition("/")
        host, port = _split_port(authority)
        known = host_of(host)
        if scheme.lower() not in {"http", "https"} or known is None or _PATH.fullmatch(slash + path) is None:
            return None
        if port is not None and not _is_port(port, lowest=1):
            return None
        secure = scheme.lower() == "https"
        return OriginAddress(
            scheme=b"https" if secure else b"http",
            host=known.encode("ascii"),
            port=int(port) if port is not None else 443 if secure else 80,
            path=(slash + path).rstrip("/").encode("ascii"),
        )

    def allowed(self) -> str:
        """Its form."""
        return 'a URL such as "http://127.0.0.1:3000" or "https://app.example.org/base"'

    def write(self, value: object) -> str:
        """With its port."""
        assert isinstance(value, OriginAddress), value
        return quoted((b"%b://%b:%d%b" % (value.scheme, value.host, value.port, value.path)).decode("ascii"))


@dataclass(frozen=True, slots=True)
class Listen(Kind[ListenAddress]):
    """host:port to listen on."""

    def read(self, value: object) -> ListenAddress:
        """Without brackets."""
        host, port = _split_port(value) if isinstance(value, str) else ("", None)
        known = host_of(host)
        if known is None or port is None or not _is_port(port, lowest=0):
            hint = ""
            if host == "" and port is not None and _is_port(port, lowest=0):
                hint = f'write "0.0.0.0:{port}" for every address; '
            raise refused(f"{shown(value)} is no address to listen on", f"{hint}allowed: {self.allowed()}")
        return ListenAddress(known.strip("[]"), int(port))

    def allowed(self) -> str:
        """Its form."""
        return 'host:port, as in "127.0.0.1:8080", "[::]:8080" or "localhost:8080"'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class NetworkRange(Kind[Network]):
    """A CIDR range or a single address."""

    def read(self, value: object) -> Network:
        """The network; bits beyond the prefix are refused, since they show a slip."""
        if isinstance(value, str) and "%" not in value:
            try:
                return ip_network(value)
            except ValueError:
                pass
            try:
                guess = f"write {quoted(str(ip_network(value, strict=False)))}; "
            except ValueError:
                guess = ""
        else:
            guess = ""
        raise refused(f"{shown(value)} is no network", f"{guess}allowed: {self.allowed()}")

    def allowed(self) -> str:
        """Its form."""
        return 'a range such as "10.0.0.0/8" or "2001:db8::/32", or an address'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class NameserverAddress(Kind[Nameserver]):
    """A resolver by address, with or without a port."""

    def read(self, value: object) -> Nameserver:
        """Port 53 unless written."""
        text = value if isinstance(value, str) else ""
        address, port = _address(text), None
        if address is None:
            host, port = _split_port(text)
            address = _address(host.removeprefix("[").removesuffix("]"))
        if address is None or (port is not None and not _is_port(port, lowest=1)):
            raise refused(f"{shown(value)} is no nameserver", f"allowed: {self.allowed()}")
        return Nameserver(address, int(port) if port is not None else 53)

    def allowed(self) -> str:
        """Its form."""
        return 'an IP address with or without a port, as in "192.0.2.53", "[2001:db8::53]:5353"'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class FileName(Kind[str]):
    """A path; a relative one is meant from the file that names it."""

    def read(self, value: object) -> str:
        """The path as written."""
        if not isinstance(value, str) or not value or "\0" in value or len(value) > 4096:
            raise refused(f"{shown(value)} is no path", f"allowed: {self.allowed()}")
        return value

    def allowed(self) -> str:
        """Its form."""
        return "a path, absolute or relative to the folder of this file"

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))
