"""The lane: hits whose request looks like one that was answered before, at the cost of a few look-ups.

Owns: `Lane`. It decides nothing and parses nothing; it remembers what the long way (edge.wire.request, edge.node) found out
and that does not change: what a field section says and which site its host belongs to, which key a request line has there,
what a stored response's ready head is (edge.replying). What does change is looked at each time: what is in memory under the
key, which variant it is for this request, its age, whether the purge table and the log vouch for it. Whatever is not plain -
a range, a wish, an upgrade, a client who is led elsewhere - has no kind here, and goes the long way.

tests/models/test_lane.py holds it to that: whatever the lane answers, the long way answers with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from edge.clock import Clock
from edge.fence import Fence
from edge.leading import Leading
from edge.ready import ReadyHead
from edge.recent import Recent
from edge.semantics import key as keys
from edge.semantics.decide import date_of
from edge.semantics.directives import NO_WISHES, request_directives
from edge.semantics.forwarding import (
    Network,
    authority_seen_by_client,
    cleaned_request,
    is_trusted,
)
from edge.semantics.key import BadTarget, matches
from edge.semantics.message import Authority, Fields, RequestHead
from edge.semantics.rules import CookieRule, SiteRules
from edge.semantics.stored import Nominated, StoredResponse
from edge.semantics.tls_rules import HttpsRedirect
from edge.semantics.validation import CONDITIONALS, Precondition, evaluate_preconditions
from edge.settings.sites import SiteTable
from edge.store.memory import Held, MemoryTier
from edge.values import replace
from edge.wire.familiar import LOOSE, Familiar, Known
from edge.wire.framing import NO_BODY
from edge.wire.limits import Limits
from edge.wire.request import REQUEST_LINE, ParsedRequest

LINES = 16 * 1024
"""Half of the request lines that are remembered."""
LINE_BYTES = 2 << 20
"""And half of their bytes, of which clients choose how many there are; a key has about as many again."""
PLACES = 128
"""Half of the hosts that are remembered."""
MATCHES = 64
"""Answers to "does this kind of section match these nominated fields?" kept for each kind."""
_NOT_PLAIN = (CONDITIONALS | {b"range", b"cdn-loop"}) - LOOSE
GET, HEAD = b"GET", b"HEAD"


class Place:
    """One host of a site. rules, authority: as the key is made of them."""

    __slots__ = ("authority", "rules")

    def __init__(self, rules: SiteRules, authority: Authority) -> None:
        self.rules = rules
        self.authority = authority


class Kind:
    """What a field section says that its loose lines do not. first: the request it was learned of, without those.

    fields: its fields, cleaned. loose: names of loose lines. matched: whether it matches nominated fields, None = that depends
    on a loose line. agent: User-Agent as a log writes it, None = no log needed it yet.
    """

    __slots__ = ("agent", "fields", "first", "loose", "matched", "place")

    def __init__(self, place: Place, fields: Fields, first: ParsedRequest, loose: frozenset[bytes]) -> None:
        self.place = place
        self.fields = fields
        self.first = first
        self.loose = loose
        self.matched: dict[tuple[Nominated, bytes | None], bool | None] = {}
        self.agent: bytes | None = None


class RequestLine:
    """raw: the line. key: of what it asks for, at one place. shown: as a log writes it, None = no log needed it yet."""

    __slots__ = ("is_head", "key", "raw", "shown")

    def __init__(self, raw: bytes, key: bytes, *, is_head: bool) -> None:
        self.raw = raw
        self.key = key
        self.is_head = is_head
        self.shown: bytes | None = None


LaneHit = tuple[ReadyHead, bytes, RequestLine, Known[Kind]]
"""An answer: the head that holds now (`ready.whole`, to be ended by an empty line), the body to be sent behind it, and what was
asked. A plain tuple, since one is made for every hit."""


def request_of(line: RequestLine, known: Known[Kind]) -> ParsedRequest:
    """What the parser would have made of it, but that Referer is its only loose field."""
    first, referer = known.what.first, known.referer
    method, target, _ = line.raw.split(b" ")
    fields = first.head.fields
    if referer is not None:
        fields = fields.with_added((b"Referer", referer))
    return replace(
        first, head=replace(first.head, method=method, target=target, fields=fields), line=line.raw
    )


class Lane:
    """One worker's lane. `epoch` changes with the settings: what was asked of the lane before does not hold then."""

    __slots__ = (
        "_books",
        "_clock",
        "_fence",
        "_groups",
        "_leading",
        "_limits",
        "_lines",
        "_name",
        "_places",
        "_sites",
        "_trusted",
        "_vouches",
        "epoch",
    )

    def __init__(
        self,
        name: bytes,
        memory: MemoryTier[StoredResponse],
        fence: Fence,
        clock: Clock,
        *,
        vouches: Callable[[Held[StoredResponse], SiteRules], bool],
        leading: Leading | None,
    ) -> None:
        self._name = name
        self._groups = memory.groups
        self._fence = fence
        self._vouches = vouches
        self._clock = clock
        self._leading = leading
        self._limits = Limits()
        self._sites = SiteTable()
        self._trusted: tuple[Network, ...] = ()
        # One for each scheme, and for what proxies say whom we believe.
        self._books: tuple[Familiar[Kind], ...] = tuple(Familiar() for _ in range(4))
        self._lines: Recent[tuple[bytes, Place], RequestLine] = Recent(
            LINES, LINE_BYTES, lambda asked: len(asked[0])
        )
        self._places: Recent[Authority, Place] = Recent(PLACES)
        self.epoch = 0

    def apply(self, sites: SiteTable, trusted: Sequence[Network]) -> None:
        """New settings: nothing that was found out before holds."""
        self._sites, self._trusted = sites, tuple(trusted)
        self._forget()

    def bound(self, limits: Limits) -> None:
        """New limits: what was within the old ones may be beyond these."""
        self._limits = limits
        self._forget()

    def _forget(self) -> None:
        for book in self._books:
            book.clear()
        self._lines.clear()
        self._places.clear()
        self.epoch += 1

    @property
    def lines(self) -> int:
        """How many request lines are remembered."""
        return len(self._lines)

    def side(self, peer: str, scheme: bytes) -> int:
        """Which of its books a connection belongs to, as long as `epoch` is the same."""
        believed = bool(self._trusted) and is_trusted(peer, self._trusted)
        return (2 if scheme == b"https" else 0) + believed

    # -- the way itself: one call for each request of a client --

    def find(self, data: bytes, side: int, mono: float) -> LaneHit | None:
        """data: what came on an idle connection. mono: now. None: the long way."""
        # That this is one whole head needs no look: no section is known that has an empty line elsewhere than at its end.
        if len(data) > self._limits.request_head:
            return None
        line_end = data.find(b"\r\n")
        section = data[line_end + 2 :]
        book = self._books[side]
        known = book.exact.young.get(section) or book.find(section)
        if known is None:
            return None
        kind, _, tags = known
        place = kind.place
        raw = data[:line_end]
        line = self._lines.young.get((raw, place)) or self._line(raw, place)
        if line is None:
            return None
        group = self._groups.get(line.key)
        if group is None:
            return None
        held: Held[StoredResponse] | None = group[0]
        if len(group) != 1 or group[0].value.nominated:
            held = self._selected(group, kind)
        if held is None:
            return None
        ready = held.ready
        rules = place.rules
        if ready is None or ready.rules is not rules:
            return None
        freshness = held.value.freshness
        age = freshness.age(self._clock.at(mono))  # type: ignore[arg-type]  # UnixSeconds() costs a call
        if age >= freshness.lifetime:
            return None
        fence = self._fence
        reader = fence.reader
        if (
            reader is not None and (mono - reader.proven_at > rules.purge.log_loss_after or reader.suspended)
        ) or (held.clean < fence.table.latest and not self._vouches(held, rules)):
            return None
        head = ready.head
        body = held.body
        if tags is not None and (tags == ready.tag or _is_unchanged(tags, held.value)):
            if ready.unchanged is None:
                return None
            head, body = ready.unchanged, b""
        if not head.since <= age < head.until:
            head.at(age, freshness.lifetime, self._name)
        held.visited = True
        return head, b"" if line.is_head else body, line, known

    def _line(self, raw: bytes, place: Place) -> RequestLine | None:
        """A plain GET or HEAD, None for everything else. Its form is the parser's, its key the node's."""
        line = self._lines.get((raw, place))
        if line is not None:
            return line
        matched = REQUEST_LINE.fullmatch(raw)
        if matched is None or len(raw) > self._limits.request_line:
            return None
        method, target, major, minor = matched.groups()
        if method not in (GET, HEAD) or target[0] != 0x2F or major != b"1" or minor != b"1":
            return None
        try:
            canonical = keys.canonical_target(target, place.rules.key)
        except BadTarget:
            return None
        key = keys.canonical_key(place.authority, canonical, place.rules.key)
        line = RequestLine(raw, key, is_head=method == HEAD)
        self._lines.put((raw, place), line)
        return line

    def _selected(self, group: Sequence[Held[StoredResponse]], kind: Kind) -> Held[StoredResponse] | None:
        """As `decide.select`; None also where that depends on what the kind does not say."""
        best: Held[StoredResponse] | None = None
        for held in group:
            stored = held.value
            if stored.nominated:
                asked = (stored.nominated, stored.head.fields.get(b"content-language"))
                fits = kind.matched.get(asked, asked)
                if fits is asked:
                    fits = _fits(kind, *asked)
                    if len(kind.matched) < MATCHES:
                        kind.matched[asked] = fits
                if fits is None:
                    return None
                if not fits:
                    continue
            if best is None or date_of(stored) >= date_of(best.value):
                best = held
        return best

    # -- what it learns --

    def learn(self, head: bytes, request: ParsedRequest, side: int) -> None:
        """The long way answered this from memory with a ready head: next time it may be known. head: its bytes."""
        if request.head.minor != 1 or request.framing is not NO_BODY or not request.keep_alive:
            return
        if request.upgrade is not None or not request.line.startswith((b"GET /", b"HEAD /")):
            return
        section = head[len(request.line) + 2 :]
        self._books[side].learn(section, partial(self._kind, request, side))

    def _kind(self, request: ParsedRequest, side: int, loose: frozenset[bytes]) -> Kind | None:
        head = request.head
        names = head.fields.names()
        if not _NOT_PLAIN.isdisjoint(names) or not loose <= names:
            return None
        if b"if-modified-since" in names and b"if-none-match" not in names:
            return None
        if request_directives(head.fields) is not NO_WISHES:
            return None
        authority = head.authority
        if side & 1:
            authority = authority_seen_by_client(authority, head.fields)
        rules = self._sites.find(authority.host)
        if rules is None or not _is_served_as_it_is(rules, authority):
            return None
        if self._leading is not None and self._leading.concerns(rules):
            return None
        fields = cleaned_request(replace(head, authority=authority), rules).fields
        if rules.store.cookie is CookieRule.BYPASS and b"cookie" in head.fields:
            return None
        place = self._places.get(authority)
        if place is None:
            place = Place(rules, authority)
            self._places.put(authority, place)
        first = replace(request, head=replace(head, fields=head.fields.without(LOOSE)))
        return Kind(place, fields.without(LOOSE), first, loose)


def _is_served_as_it_is(rules: SiteRules, authority: Authority) -> bool:
    """Whether nobody is sent to https, and nobody's certificate counts (edge.guarding)."""
    tls = rules.tls
    is_sent_away = tls.redirect is not HttpsRedirect.OFF and authority.scheme == b"http"
    return not (is_sent_away or tls.tell or tls.client is not None)


def _is_unchanged(tags: bytes, stored: StoredResponse) -> bool:
    head = RequestHead(GET, stored.selectors.authority, b"/", Fields(((b"If-None-Match", tags),)))
    return evaluate_preconditions(head, stored) is Precondition.NOT_MODIFIED


def _fits(kind: Kind, nominated: Nominated, language: bytes | None) -> bool | None:
    """Whether the request's nominated fields are the stored response's; None where a loose line says so."""
    if any(keys.field_of(name) in kind.loose for name, _ in nominated):
        return None
    rules = kind.place.rules
    return matches(nominated, RequestHead(GET, kind.place.authority, b"/", kind.fields), rules.vary, language)
