"""What a caller wants purged, whatever shape it came in. PURE.

Owns: `PurgeRequest`, and `Naming`, which makes selectors of the texts in a request. Rules: a selector belongs to a site of
this node or the request is refused (a purge of a host that nobody serves is a mistake, and its author wants to hear of it);
selectors are read by edge.semantics.selectors and nowhere else; each thing counts once, however often it was named.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from edge.errors import ClientFault
from edge.purge.declined import Reason, Unacceptable
from edge.purge.signing.keys import ScopeKind, Wanted
from edge.semantics.message import Authority
from edge.semantics.purge_order import MAX_ITEMS
from edge.semantics.selectors import (
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
    read_host,
    read_prefix,
    read_tag,
    read_uri,
    read_variant,
)
from edge.settings.sites import SiteTable

MAX_NOTE = 256
"""Characters; the log's own bound."""


class Wait(Enum):
    """Whose acknowledgement is waited for."""

    GLOBAL = "global"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """One purge of one or many things. items: each once, at least one.

    idempotency_key: None = none was sent. dry_run: only say what it would do. wait: None = answer once it is in the log.
    timeout: the longest wait in seconds.
    """

    items: tuple[Selector, ...]
    soft: bool = False
    note: str = ""
    idempotency_key: str | None = None
    dry_run: bool = False
    wait: Wait | None = None
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, as far as it matters for reading. sites: of this node. own: the one site the caller may touch, None = it
    may touch several. max_items: of one purge. max_wait: seconds.
    """

    sites: SiteTable
    own: str | None = None
    max_items: int = MAX_ITEMS
    max_wait: float = 60.0

    def site(self, named: str | None, where: str) -> str:
        """The site whose tags are meant: as named, else the caller's only one, else the node's. Raises Unacceptable."""
        if named is None:
            only = self.own
            if only is None and len(self.sites) == 1:
                only = self.sites.sites[0].name
            if only is None:
                raise Unacceptable(Reason.SITE_MISSING, "tags are a site's, and it is not said which", where)
            named = only
        if self.sites.named(named) is None:
            raise Unacceptable(Reason.UNKNOWN_SITE, f"there is no site {named[:60]!a}", where)
        return named


class Naming:
    """Collects what one request names. within: the only site that its hosts may belong to, None = any.

    Each method takes a text and the JSON pointer (or the field) it came from, and raises Unacceptable.
    """

    __slots__ = ("_asking", "_items", "_within")

    def __init__(self, asking: Asking, within: str | None = None) -> None:
        self._asking = asking
        self._within = within
        self._items: dict[Selector, None] = {}

    def url(self, text: str, where: str) -> None:
        """One resource with all its variants."""
        self._add(self._uri(text, where), where)

    def variant(self, text: str, fields: dict[str, str], where: str) -> None:
        """What a request with these fields gets."""
        uri = self._uri(text, where)
        try:
            self._add(read_variant(uri, fields), where)
        except ClientFault as fault:
            raise Unacceptable(Reason.BAD_VARIANT, fault.detail, where) from None

    def uri(self, authority: Authority, target: str, where: str) -> None:
        """As `url`, of an authority that the wire has read."""
        self.url(f"{authority.scheme.decode()}://{authority.render().decode()}{target}", where)

    def tag(self, site: str, text: str, where: str) -> None:
        """A tag of a site that is known to exist."""
        try:
            self._add(read_tag(site, text), where)
        except ClientFault as fault:
            raise Unacceptable(Reason.BAD_TAG, fault.detail, where) from None

    def prefix(self, text: str, where: str) -> None:
        """A part of a host."""
        try:
            found = read_prefix(text)
        except ClientFault as fault:
            raise Unacceptable(Reason.BAD_PREFIX, fault.detail, where) from None
        self._served(found.host, where)
        self._add(found, where)

    def host(self, text: str, where: str) -> None:
        """All of a host."""
        try:
            found = read_host(text)
        except ClientFault as fault:
            raise Unacceptable(Reason.BAD_HOST, fault.detail, where) from None
        self._served(found.host, where)
        self._add(found, where)

    def site(self, text: str, where: str) -> None:
        """All of a site."""
        self._add(Site(self._asking.site(text, where)), where)

    def everything(self) -> None:
        """All there is."""
        self._items[Everything()] = None

    def items(self) -> tuple[Selector, ...]:
        """All that was named. Raises Unacceptable where that is nothing."""
        if not self._items:
            raise Unacceptable(Reason.NOTHING_NAMED, "the purge names nothing")
        return tuple(self._items)

    def _uri(self, text: str, where: str) -> Uri:
        try:
            uri = read_uri(text)
        except ClientFault as fault:
            raise Unacceptable(Reason.BAD_URL, fault.detail, where) from None
        self._served(uri.authority.host, where)
        return uri

    def _served(self, host: bytes, where: str) -> None:
        site = self._asking.sites.find(host)
        if site is None:
            raise Unacceptable(Reason.UNKNOWN_HOST, f"no site serves {host.decode()}", where)
        if self._within is not None and site.name != self._within:
            raise Unacceptable(
                Reason.OTHER_SITE, f"{host.decode()} does not belong to the site {self._within}", where
            )

    def _add(self, item: Selector, where: str) -> None:
        self._items[item] = None
        if len(self._items) > self._asking.max_items:
            raise Unacceptable(
                Reason.TOO_MANY_ITEMS, f"more than {self._asking.max_items} things in one purge", where
            )


def wanted_of(item: Selector, sites: SiteTable) -> Wanted:
    """The site that a selector belongs to, and its kind: what a key's scope and a site's rate are asked about.

    Site None: of all, or of none that this node has.
    """
    match item:
        case Uri(authority, _):
            return _site(sites, authority.host), ScopeKind.URL
        case Variant(uri, _):
            return _site(sites, uri.authority.host), ScopeKind.VARIANT
        case Tag(site, _):
            return site, ScopeKind.TAG
        case Group(authority, _):
            return _site(sites, authority.host), ScopeKind.TAG
        case Prefix(host, _):
            return _site(sites, host), ScopeKind.PREFIX
        case Host(host):
            return _site(sites, host), ScopeKind.HOST
        case Site(site):
            return site, ScopeKind.SITE
        case Everything():
            return None, ScopeKind.EVERYTHING
        case _ as never:
            assert_never(never)


def _site(sites: SiteTable, host: bytes) -> str | None:
    found = sites.find(host)
    return None if found is None else found.name
