"""What a request line to the purge API asks for. PURE.

Owns: `route`, and the closed list of what there is. Rules: a shape is known by its path alone; the target is taken as it was
sent, and decoded once where a name or a tag stands in it; what is not known is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never
from urllib.parse import unquote_to_bytes

from edge.purge.declined import Declined, Reason, Unacceptable, declined

MAX_PAGE = 200
DEFAULT_PAGE = 50

_NUMBER = re.compile(r"[0-9]{1,15}")


class Shape(Enum):
    """A kind of request that purges."""

    OURS = "ours"
    FASTLY_KEY = "fastly-key"
    FASTLY_KEYS = "fastly-keys"
    FASTLY_ALL = "fastly-all"
    FASTLY_URL = "fastly-url"
    CLOUDFLARE = "cloudflare"
    METHOD = "method"


@dataclass(frozen=True, slots=True)
class Purge:
    """A request that purges. site: of the path, None = it has none. said: the tag or the URL of the path, decoded or raw."""

    shape: Shape
    site: str | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class OnePurge:
    """How far a purge has come. id: as sent."""

    id: str


@dataclass(frozen=True, slots=True)
class RecentPurges:
    """Who purged what, when; latest first. before: a sequence number of the log, None = from the latest."""

    limit: int = DEFAULT_PAGE
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Nodes:
    """All nodes that are known."""


@dataclass(frozen=True, slots=True)
class Document:
    """The OpenAPI document."""


Route = Purge | OnePurge | RecentPurges | Nodes | Document

_SITE_PATH = re.compile(rb"/service/([^/]+)/(purge|purge_all)(?:/(.+))?")
_ZONE_PATH = re.compile(rb"(?:/client/v4)?/zones/([^/]+)/purge_cache")


def route(method: bytes, target: bytes) -> Route | Declined:
    """What a request line asks for. target: raw origin-form."""
    path, _, query = target.partition(b"?")
    method = b"GET" if method == b"HEAD" else method  # RFC 9110 s9.3.2
    try:
        found = _route(method, path, query, target)
    except Unacceptable as fault:
        return fault.why
    if found is None:
        return declined(Reason.NO_SUCH_PATH, "there is nothing here")
    allowed = methods_of(found)
    if method not in allowed:
        return declined(Reason.WRONG_METHOD, f"{b', '.join(allowed).decode()} are the methods here")
    return found


def methods_of(found: Route) -> tuple[bytes, ...]:
    """The methods of what was found there."""
    match found:
        case Purge(Shape.OURS) | RecentPurges():
            return (b"GET", b"HEAD", b"POST")
        case Purge():
            return (b"POST",)
        case OnePurge() | Nodes() | Document():
            return (b"GET", b"HEAD")
        case _ as never:
            assert_never(never)


def allowed_at(target: bytes) -> tuple[bytes, ...]:
    """The methods of a path, for Allow; () where there is nothing."""
    try:
        found = _route(b"POST", target.partition(b"?")[0], b"", target)
    except Unacceptable:
        return ()
    return () if found is None else methods_of(found)


def _route(method: bytes, path: bytes, query: bytes, target: bytes) -> Route | None:
    if path == b"/v1/purges":
        return _page(query) if method == b"GET" else Purge(Shape.OURS)
    if path.startswith(b"/v1/purges/") and len(path) > len(b"/v1/purges/"):
        return OnePurge(_name(path[len(b"/v1/purges/") :]))
    if path == b"/v1/nodes":
        return Nodes()
    if path == b"/v1/openapi.json":
        return Document()
    if path.startswith(b"/purge/") and len(path) > len(b"/purge/"):
        return Purge(Shape.FASTLY_URL, said=text_of_target(target[len(b"/purge/") :]))
    at_zone = _ZONE_PATH.fullmatch(path)
    if at_zone is not None:
        return Purge(Shape.CLOUDFLARE, _name(at_zone[1]))
    at_site = _SITE_PATH.fullmatch(path)
    if at_site is None:
        return None
    site, verb, key = at_site.groups()
    if verb == b"purge_all":
        return None if key is not None else Purge(Shape.FASTLY_ALL, _name(site))
    if key is None:
        return Purge(Shape.FASTLY_KEYS, _name(site))
    tag = unquote_to_bytes(key).decode("utf-8", "surrogateescape")
    return Purge(Shape.FASTLY_KEY, _name(site), tag)


def _page(query: bytes) -> RecentPurges:
    page = RecentPurges()
    for name, said in parameters(query):
        number = int(said) if _NUMBER.fullmatch(said) is not None else 0
        if name == "limit" and 1 <= number <= MAX_PAGE:
            page = replace(page, limit=number)
        elif name == "before" and number:
            page = replace(page, before=number)
        else:
            raise Unacceptable(Reason.BAD_QUERY, f"allowed: limit=1 to {MAX_PAGE}, before=SEQ", name[:60])
    return page


def parameters(query: bytes) -> list[tuple[str, str]]:
    """Name and value of each; raises Unacceptable for one that stands twice. Nothing is percent-decoded: nothing has to be."""
    if not query:
        return []
    pairs: list[tuple[str, str]] = []
    for part in query.split(b"&")[:100]:
        name, _, said = part.partition(b"=")
        pairs.append((name.decode("latin-1"), said.decode("latin-1")))
    if len({name for name, _ in pairs}) < len(pairs):
        raise Unacceptable(Reason.BAD_QUERY, "a parameter stands twice")
    return pairs


def _name(raw: bytes) -> str:
    """A path segment that names something of ours."""
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Unacceptable(Reason.NOT_UTF_8, "a name in the path is no UTF-8", "path") from None


def text_of_target(raw: bytes) -> str:
    """As text, byte for byte."""
    return raw.decode("latin-1")
