"""What a purge can name, and what a stored response is named by. PURE. RFC 9875; DESIGN section 4.

Owns: `Selector` (the closed union of what an order names), the readers that make one and those that make the `Selectors` of
a stored response, and the fields that carry tags. Rules: both sides are built here and nowhere else, so that they cannot drift
apart; a tag is an opaque string of bytes, compared exactly; there are no patterns; what cannot be read is refused with a
reason and never guessed at.

A URL purge names the resource, not the way in: `http://h/x` and `https://h/x` on their default ports are one selector.
A prefix counts in whole path segments: `/a` names `/a`, `/a/`, `/a/b` and `/a?q`, not `/ab`; `/a/` names what is below it.
"""

from __future__ import annotations

import re

from edge.errors import ClientFault
from edge.semantics.key import BadTarget, canonical_host, canonical_target
from edge.semantics.message import Authority, Fields, Line
from edge.semantics.rules import KeyRules
from edge.semantics.stored import Selectors
from edge.semantics.structured import NotStructured, parse_list
from edge.values import value

MAX_TAGS = 1_000
"""Tags of one response that are kept [Cloudflare: 16 KB of Cache-Tag, about a thousand]; one that has as many is taken to
have all there are, and goes with any tag of its site."""
MAX_TAG_BYTES = 1_024
"""[Fastly, Cloudflare: 1,024.]"""
MAX_PREFIX_SEGMENTS = 32
"""Path segments of a prefix; a response is looked up by as many at most."""
MAX_URL_BYTES = 9 * 1024
"""The longest request line by default, and a host."""
MAX_SITE = 256
"""Characters of a site's name."""
MAX_VARIANT_FIELDS = 32
MAX_VARIANT_CHARS = 8_192
"""Of all their names and values: one selector always fits into an order."""

_PLAIN = KeyRules()
_URL = re.compile(
    r"(https?)://([A-Za-z0-9\-._]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(/[^\s#?]*)?(\?[^\s#]*)?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[A-Za-z0-9\-._]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]")
_PREFIX = re.compile(
    r"(?:https?://)?([A-Za-z0-9\-._]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(/[^\s#?]*)?", re.IGNORECASE
)
_TARGET = re.compile(r"[!$-;=?-\[\]-~]*")  # as edge.wire.request takes targets
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BadSelector(ClientFault):
    """Not something that a purge can name."""


@value(frozen=True, slots=True)
class Uri:
    """One resource with all its variants. authority: as written; target: origin-form, canonical under plain rules."""

    authority: Authority
    target: bytes

    def authorities(self) -> tuple[Authority, ...]:
        """Those that a request for it can have: on default ports, both schemes."""
        if not self.authority.is_default_port:
            return (self.authority,)
        host = self.authority.host
        return (Authority(b"http", host, 80), Authority(b"https", host, 443))

    def render(self) -> str:
        """The URL, as `read_uri` takes it."""
        authority = self.authority
        return f"{authority.scheme.decode()}://{authority.render().decode()}{self.target.decode()}"


@value(frozen=True, slots=True)
class Variant:
    """The variants of a resource that a request with these fields would get."""

    uri: Uri
    fields: tuple[Line, ...]


@value(frozen=True, slots=True)
class Tag:
    """All responses of a site that carry the tag."""

    site: str
    tag: bytes


@value(frozen=True, slots=True)
class Group:
    """All responses of one origin in a cache group (RFC 9875): what `Cache-Group-Invalidation` names."""

    authority: Authority
    group: bytes


@value(frozen=True, slots=True)
class Prefix:
    """All paths of a host below `path`, which begins with a slash; on every scheme and port."""

    host: bytes
    path: bytes


@value(frozen=True, slots=True)
class Host:
    """All of a host, on every scheme and port."""

    host: bytes


@value(frozen=True, slots=True)
class Site:
    """All of a site."""

    site: str


@value(frozen=True, slots=True)
class Everything:
    """All there is, of all sites."""


Selector = Uri | Variant | Tag | Group | Prefix | Host | Site | Everything


# --- of a response ---------------------------------------------------------------------------------------------------


def selectors_for(site: str, authority: Authority, target: bytes, response: Fields) -> Selectors:
    """The names of a response to a request for `target`."""
    names = response.names()
    groups = cache_groups(response) if b"cache-groups" in names else ()
    tags = (
        groups
        if _TAG_FIELDS.isdisjoint(names)
        else tuple(dict.fromkeys((*_tags(response), *groups)))[:MAX_TAGS]
    )
    return Selectors(site, authority, target.partition(b"?")[0], tags, groups)


_TAG_FIELDS = frozenset((b"surrogate-key", b"xkey", b"cache-tag", b"edge-cache-tag"))


def _tags(response: Fields) -> list[bytes]:
    found: list[bytes] = []
    for name in (b"surrogate-key", b"xkey"):  # Fastly, Varnish: separated by white space
        for line in response.all(name):
            found += line.split()
    for name in (b"cache-tag", b"edge-cache-tag"):  # Cloudflare and Google, Akamai: by commas
        for line in response.all(name):
            found += [tag for part in line.split(b",") if (tag := part.strip(b" \t"))]
    return [tag for tag in found if len(tag) <= MAX_TAG_BYTES]


def cache_groups(response: Fields) -> tuple[bytes, ...]:
    """The members of Cache-Groups, each once; () when the field is malformed (RFC 9875 s2)."""
    return _groups(response.combined(b"cache-groups"))


def invalidated_groups(response: Fields) -> tuple[bytes, ...]:
    """What Cache-Group-Invalidation names (RFC 9875 s3); that the method was unsafe is for the caller to see to."""
    return _groups(response.combined(b"cache-group-invalidation"))


def _groups(said: bytes | None) -> tuple[bytes, ...]:
    if said is None:
        return ()
    try:
        members = parse_list(said)
    except NotStructured:
        return ()
    found: dict[bytes, None] = {}
    for member in members:
        group = getattr(member, "value", None)
        if not isinstance(group, str):
            return ()  # RFC 9875 s2: a list of strings; a member of another type makes the field invalid
        if 0 < len(group) <= MAX_TAG_BYTES:
            found[group.encode()] = None
    return tuple(found)[:MAX_TAGS]


def prefixes_of(path: bytes) -> list[bytes]:
    """Every prefix that names `path`, shortest first: `/a/b` has `/a`, `/a/`, `/a/b`. That of the root is the host's."""
    found: list[bytes] = []
    at = 0
    for _ in range(MAX_PREFIX_SEGMENTS):
        at = path.find(b"/", at + 1)
        if at < 0:
            break
        found.append(path[:at])
        found.append(path[: at + 1])
    else:
        return found
    if not found or path != found[-1]:
        found.append(path)
    return found


# --- of a purge ------------------------------------------------------------------------------------------------------


def read_uri(text: str) -> Uri:
    """From an absolute http(s) URL. BadSelector."""
    read = _URL.fullmatch(text) if len(text) <= MAX_URL_BYTES else None
    if read is None:
        raise BadSelector("not an absolute http or https URL without fragment and user")
    scheme, host, digits, path, query = read.groups()
    port = int(digits) if digits else _DEFAULT_PORTS[scheme.lower()]
    if not 1 <= port <= 65535:
        raise BadSelector("no such port")
    authority = Authority(scheme.lower().encode(), _host(host), port)
    found = Uri(authority, _target((path or "/") + (query or "")))
    if len(found.render()) > MAX_URL_BYTES:
        raise BadSelector(f"a URL has at most {MAX_URL_BYTES} bytes")
    return found


def read_prefix(text: str) -> Prefix | Host:
    """From `host/path`, with or without a scheme. The root of a host is the host. BadSelector."""
    found = _PREFIX.fullmatch(text) if len(text) <= MAX_URL_BYTES else None
    if found is None:
        raise BadSelector("not a prefix: write host/path, without port, query and fragment")
    host, path = found.groups()
    if path is None or path == "/":
        return Host(_host(host))
    target = _target(path)
    if target.count(b"/") > MAX_PREFIX_SEGMENTS:
        raise BadSelector(f"a prefix has at most {MAX_PREFIX_SEGMENTS} segments")
    return Prefix(_host(host), target)


def read_host(text: str) -> Host:
    """From a host name without port. BadSelector."""
    if _HOST.fullmatch(text) is None:
        raise BadSelector("not a host name: write it without scheme, port and path")
    return Host(_host(text))


def read_tag(site: str, text: str) -> Tag:
    """A tag as it stands in the field, bytes that are no UTF-8 as lone surrogates (`surrogateescape`). BadSelector."""
    tag = _octets(text)
    if (
        not 0 < len(tag) <= MAX_TAG_BYTES
        or tag != tag.strip()
        or any(byte < 0x20 or byte == 0x7F for byte in tag)
    ):
        raise BadSelector(
            f"not a tag: 1 to {MAX_TAG_BYTES} bytes, no control characters, no spaces around it"
        )
    return Tag(read_site(site).site, tag)


def read_group(url: str, text: str) -> Group:
    """A cache group of a URL's origin. BadSelector."""
    if not 0 < len(text) <= MAX_TAG_BYTES or not text.isascii() or not text.isprintable():
        raise BadSelector(f"not a cache group: 1 to {MAX_TAG_BYTES} printable ASCII characters")
    return Group(read_uri(url).authority, text.encode("ascii"))


def read_site(text: str) -> Site:
    """A site by its name, which may be a wildcard host or a file's name. BadSelector."""
    if not 0 < len(text) <= MAX_SITE or not text.isprintable():
        raise BadSelector("not the name of a site")
    return Site(text)


def read_variant(uri: Uri, fields: dict[str, str]) -> Variant:
    """The variant that a request with these fields gets. BadSelector."""
    if not 0 < len(fields) <= MAX_VARIANT_FIELDS:
        raise BadSelector(f"a variant is named by 1 to {MAX_VARIANT_FIELDS} request fields")
    if sum(len(name) + len(said) for name, said in fields.items()) > MAX_VARIANT_CHARS:
        raise BadSelector(f"the fields of a variant have at most {MAX_VARIANT_CHARS} characters")
    if len({name.lower() for name in fields}) < len(fields):
        raise BadSelector("a request field stands twice, in two spellings")
    lines: list[Line] = []
    for name, said in fields.items():
        if re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}", name) is None or re.search(
            r"[\x00-\x08\x0a-\x1f\x7f]", said
        ):
            raise BadSelector("not a request field")
        lines.append((name.lower().encode(), _octets(said.strip(" \t"))))
    return Variant(uri, tuple(sorted(lines)))


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadSelector("half a surrogate pair is no character") from None


def _host(text: str) -> bytes:
    try:
        host = canonical_host(text.encode("ascii"))
    except ValueError:
        raise BadSelector("not an IPv6 address") from None
    if not host or host.startswith((b".", b"-")) or b".." in host or host.endswith(b"."):
        raise BadSelector("not a host name")
    return host


def _target(text: str) -> bytes:
    if not text.isascii() or _TARGET.fullmatch(text) is None:
        raise BadSelector("a URL has ASCII characters only: percent-encode the others")
    try:
        return canonical_target(text.encode("ascii"), _PLAIN)
    except BadTarget as fault:
        raise BadSelector(fault.detail) from None
