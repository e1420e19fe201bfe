"""The purge table: which stored content is known to be clean, and up to which order. PURE. DESIGN section 4.

Owns: `PurgeTable` and the one predicate. Positions are integers: the local number of a history times 2^48, plus the
sequence number in the log, so that all that is known of an older history lies below all that is known of a newer one.

A node *vouches* for content with fence f up to `need` iff it knows no order after f that names the content, and
max(f, applied) >= need. What lies below the floor it cannot speak for. Rules:
* orders are applied in the log's order, each exactly once; ticks only advance the position;
* content that was found clean is clean up to `applied`: the caller may keep that number and ask again only when `latest`
  has moved past it - a hit costs one comparison of integers;
* an order is kept until it is retired; then the floor rises to it: what lies below was never looked at since, and is
  validated rather than trusted;
* an order for a URL is kept as a URL, and looked up by the key that the site's rules make of it (`keys_of`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar, assert_never

from edge.semantics.key import matches
from edge.semantics.message import Authority, Fields, RequestHead
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.rules import VaryRules
from edge.semantics.selectors import (
    MAX_TAGS,
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
    prefixes_of,
)
from edge.semantics.stored import Selectors, StoredResponse
from edge.values import value

K = TypeVar("K")

HISTORY_BITS = 48
"""Sequence numbers of one history: at a thousand orders a second, nine thousand years."""

MAX_VARIANT_ORDERS = 64
"""Variants of one URI that can be named one by one; one more names all of them."""


class Standing(Enum):
    """What the table says of stored content."""

    VOUCHED = "vouched"
    SOFT = "soft"
    """A soft order names it: stale."""
    HARD = "hard"
    """A hard order names it: gone."""
    UNKNOWN = "unknown"
    """Older than what this node can speak for: to be validated."""


@value(frozen=True, slots=True)
class Verdict:
    """since: for SOFT, when the newest of the orders that name it was accepted (unix seconds, by that node's clock)."""

    standing: Standing
    since: float = 0.0


_VOUCHED, _HARD, _UNKNOWN = Verdict(Standing.VOUCHED), Verdict(Standing.HARD), Verdict(Standing.UNKNOWN)


@dataclass(slots=True)
class Mark:
    """The newest orders that name one thing. Positions, 0 = none."""

    hard: int = 0
    soft: int = 0
    soft_at: float = 0.0

    def put(self, position: int, order: PurgeOrder) -> None:
        """One more order."""
        if order.soft:
            self.soft, self.soft_at = position, order.at
        else:
            self.hard = position

    def is_after(self, position: int) -> bool:
        """Whether there is an order after it."""
        return self.hard > position or self.soft > position


@dataclass(slots=True)
class _Names:
    """Tags of a site, cache groups of an origin or prefixes of a host. newest: of all orders that name any of them."""

    marks: dict[bytes, Mark] = field(default_factory=dict)
    newest: Mark = field(default_factory=Mark)

    def put(self, name: bytes, position: int, order: PurgeOrder) -> None:
        self.marks.setdefault(name, Mark()).put(position, order)
        self.newest.put(position, order)

    def among(self, names: Collection[bytes]) -> list[Mark]:
        """Those of `names`; of a response that has more of them than are kept, any may be one of the others."""
        if len(names) >= MAX_TAGS:
            return [self.newest]
        marks = self.marks
        return [] if marks.keys().isdisjoint(names) else [marks[name] for name in names if name in marks]


@value(frozen=True, slots=True)
class _OfVariant:
    fields: Fields
    position: int
    soft: bool
    at: float


@value(frozen=True, slots=True)
class Applied:
    """An order and where it stands."""

    position: int
    order: PurgeOrder


KeysOf = Callable[[Uri], tuple[bytes, ...]]
"""The primary keys that a URL has under the sites' rules as they are now."""


@dataclass(slots=True)
class PurgeTable:
    """The table of one process. max_items: selectors kept; beyond it the oldest orders are retired."""

    keys_of: KeysOf
    max_items: int = 200_000
    applied: int = 0
    """Position of the last message read."""
    floor: int = 0
    latest: int = 0
    """Position of the last order, or of the floor where that came later."""
    items: int = 0
    orders: deque[Applied] = field(default_factory=deque)
    """Those kept, oldest first."""
    _everything: Mark = field(default_factory=Mark)
    _sites: dict[str, Mark] = field(default_factory=dict)
    _hosts: dict[bytes, Mark] = field(default_factory=dict)
    _prefixes: dict[bytes, _Names] = field(default_factory=dict)
    _tags: dict[str, _Names] = field(default_factory=dict)
    _groups: dict[Authority, _Names] = field(default_factory=dict)
    _uris: dict[bytes, Mark] = field(default_factory=dict)
    _variants: dict[bytes, list[_OfVariant]] = field(default_factory=dict)

    # -- reading the log --

    def apply(self, order: PurgeOrder, position: int) -> None:
        """The purge is in force when this returns. position: the next one."""
        self.advance(position)
        self.orders.append(Applied(position, order))
        self.items += len(order.items)
        self._mark(order, position)
        self.latest = position
        while self.items > self.max_items:
            self._retire_oldest()

    def advance(self, position: int) -> None:
        """A message that orders nothing (or nothing that could be read) was read at the next position."""
        assert position == self.applied + 1, f"a hole in the log: {position} after {self.applied}"
        self.applied = position

    def begin(self, position: int) -> None:
        """Know nothing of what is older than `position`, and go on from there: another history, or a hole in this one."""
        assert position >= self.applied, f"back to {position} from {self.applied}"
        self.orders.clear()
        self.items = 0
        self._clear()
        self.applied = self.floor = self.latest = position

    def restore(self, applied: int, floor: int, orders: Iterable[Applied]) -> None:
        """As it was: the position read up to, the floor, and the orders kept, in order. For an empty table."""
        assert not self.applied, "restored twice"
        for each in orders:
            assert self.latest < each.position <= applied, f"{each.position} is out of order"
            self.orders.append(each)
            self.items += len(each.order.items)
            self._mark(each.order, each.position)
            self.latest = each.position
        self.applied, self.floor, self.latest = applied, floor, max(self.latest, floor)

    def retire(self, before: float) -> int:
        """Let go of orders accepted before that time (unix seconds); how many. The floor rises to the last of them."""
        count = 0
        while self.orders and self.orders[0].order.at < before:
            self._retire_oldest()
            count += 1
        return count

    def rekey(self) -> None:
        """The sites' rules have changed: find the keys of all URLs anew."""
        self._uris.clear()
        self._variants.clear()
        for each in self.orders:
            for item in each.order.items:
                if isinstance(item, Uri | Variant):
                    self._mark_item(item, each.order, each.position)

    # -- the predicate --

    def standing(self, stored: StoredResponse, clean: int, need: int, vary: VaryRules) -> Verdict:
        """What is known of `stored`. clean: up to where it was found clean, at least its fence. need: what the asker needs.

        HARD before UNKNOWN before SOFT before VOUCHED: of what is below the floor, a hard order may have been forgotten.
        vary: the site's, for orders that name one variant.
        """
        soft, since = 0, 0.0
        if self.latest > clean:
            known = max(clean, self.floor)
            for mark in self._marks_of(stored.key, stored.selectors, known):
                if mark.hard > known:
                    return _HARD
                if mark.soft > max(known, soft):
                    soft, since = mark.soft, mark.soft_at
            for each in self._variants.get(stored.key, ()):
                if each.position > known and _is_of(stored, each.fields, vary):
                    if not each.soft:
                        return _HARD
                    if each.position > soft:
                        soft, since = each.position, each.at
        if clean < self.floor or max(clean, self.applied) < need:
            return _UNKNOWN
        return Verdict(Standing.SOFT, since) if soft else _VOUCHED

    def vouches_unseen(self, key: bytes, selectors: Selectors, fence: int, need: int) -> bool:
        """Whether content of which only the request is known (no tags, no variant) may turn out to be vouched for.

        For joining a fill under way: what it brings is looked at again when its head is there.
        """
        if fence < self.floor or max(fence, self.applied) < need:
            return False
        return self.latest <= fence or all(
            mark.hard <= fence and mark.soft <= fence for mark in self._marks_of(key, selectors, fence)
        )

    def _marks_of(self, key: bytes, selectors: Selectors, clean: int) -> list[Mark]:
        """All that may matter to what is clean up to there."""
        host = selectors.authority.host
        named = (self._uris.get(key), self._sites.get(selectors.site), self._hosts.get(host))
        found = [self._everything, *[mark for mark in named if mark is not None]]
        prefixes = self._prefixes.get(host)
        if prefixes is not None and prefixes.newest.is_after(clean):
            found += prefixes.among(prefixes_of(selectors.path))
        if selectors.tags:
            tags = self._tags.get(selectors.site)
            if tags is not None and tags.newest.is_after(clean):
                found += tags.among(selectors.tags)
        if selectors.groups:
            groups = self._groups.get(selectors.authority)
            if groups is not None and groups.newest.is_after(clean):
                found += groups.among(selectors.groups)
        return found

    # -- marks --

    def _mark(self, order: PurgeOrder, position: int) -> None:
        for item in order.items:
            self._mark_item(item, order, position)

    def _mark_item(self, item: Selector, order: PurgeOrder, position: int) -> None:
        match item:
            case Uri():
                for key in self.keys_of(item):
                    self._uris.setdefault(key, Mark()).put(position, order)
            case Variant(uri, fields):
                self._mark_variant(uri, Fields(fields), order, position)
            case Tag(site, tag):
                self._tags.setdefault(site, _Names()).put(tag, position, order)
            case Group(authority, group):
                self._groups.setdefault(authority, _Names()).put(group, position, order)
            case Prefix(host, path):
                self._prefixes.setdefault(host, _Names()).put(path, position, order)
            case Host(host):
                self._hosts.setdefault(host, Mark()).put(position, order)
            case Site(site):
                self._sites.setdefault(site, Mark()).put(position, order)
            case Everything():
                self._everything.put(position, order)
            case _ as never:
                assert_never(never)

    def _mark_variant(self, uri: Uri, fields: Fields, order: PurgeOrder, position: int) -> None:
        for key in self.keys_of(uri):
            named = self._variants.setdefault(key, [])
            if len(named) < MAX_VARIANT_ORDERS:
                named.append(_OfVariant(fields, position, order.soft, order.at))
            else:
                self._uris.setdefault(key, Mark()).put(position, order)

    def _retire_oldest(self) -> None:
        gone = self.orders.popleft()
        self.items -= len(gone.order.items)
        self.floor = max(self.floor, gone.position)
        self.latest = max(self.latest, self.floor)
        for item in gone.order.items:
            self._unmark(item)

    def _unmark(self, item: Selector) -> None:
        """Forget what only orders at or below the floor say."""
        match item:
            case Uri():
                for key in self.keys_of(item):
                    _drop(self._uris, key, self.floor)
            case Variant(uri):
                for key in self.keys_of(uri):
                    left = [each for each in self._variants.get(key, ()) if each.position > self.floor]
                    if left:
                        self._variants[key] = left
                    else:
                        self._variants.pop(key, None)
                    _drop(self._uris, key, self.floor)
            case Tag(site, tag):
                _drop_name(self._tags, site, tag, self.floor)
            case Group(authority, group):
                _drop_name(self._groups, authority, group, self.floor)
            case Prefix(host, path):
                _drop_name(self._prefixes, host, path, self.floor)
            case Host(host):
                _drop(self._hosts, host, self.floor)
            case Site(site):
                _drop(self._sites, site, self.floor)
            case Everything():
                pass
            case _ as never:
                assert_never(never)

    def _clear(self) -> None:
        self._everything = Mark()
        for table in (
            self._sites,
            self._hosts,
            self._prefixes,
            self._tags,
            self._groups,
            self._uris,
            self._variants,
        ):
            table.clear()


def _drop(table: dict[K, Mark], key: K, floor: int) -> None:
    mark = table.get(key)
    if mark is not None and not mark.is_after(floor):
        del table[key]


def _drop_name(table: dict[K, _Names], key: K, name: bytes, floor: int) -> None:
    names = table.get(key)
    if names is not None:
        _drop(names.marks, name, floor)
        if not names.marks:
            del table[key]


def _is_of(stored: StoredResponse, fields: Fields, vary: VaryRules) -> bool:
    """Whether a request with these fields would get this variant."""
    request = RequestHead(b"GET", stored.selectors.authority, b"/", fields)
    return matches(stored.nominated, request, vary, stored.head.fields.get(b"content-language"))
