"""What surrounds the nodes of the fence's model: an origin, a purge log, delays, and a client that compares.

Owns: `World`, one random schedule. Rules: the origin changes before the purge is published (the precondition of the fence); a
purge's claim is written down here by what is true of the origin, never by the product's selectors; every message may take
as long as it likes. What goes wrong is counted in `violations`, what happened at all in `seen`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from edge.semantics.key import nominate, primary_key
from edge.semantics.message import Authority, Fields, RequestHead, ResponseHead, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import HISTORY_BITS
from edge.semantics.rules import KeyRules, VaryRules
from edge.semantics.selectors import (
    Everything,
    Group,
    Host,
    Selector,
    Site,
    Tag,
    read_prefix,
    read_uri,
    read_variant,
    selectors_for,
)
from edge.semantics.stored import StoredResponse
from edge.semantics.validation import parse_validators
from tests.kit.stored_responses import FRESH, NOW

ENCODINGS = (b"gzip", b"br")
TAGS = (b"t1", b"t2", b"t3")
GROUPS = (b"g1", b"g2")


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing at the origin, on both schemes."""

    site: str
    host: bytes
    path: bytes
    varies: bool = False


RESOURCES = (
    Resource("one", b"a.example", b"/p/1"),
    Resource("one", b"a.example", b"/p/2", varies=True),
    Resource("one", b"b.example", b"/p"),
    Resource("two", b"c.example", b"/p/1"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a stored response really is."""

    resource: Resource
    scheme: bytes
    encoding: bytes | None
    version: int
    tags: tuple[bytes, ...]
    groups: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for."""

    resource: Resource
    scheme: bytes
    encoding: bytes

    @property
    def authority(self) -> Authority:
        return Authority(self.scheme, self.resource.host, 443 if self.scheme == b"https" else 80)


Names = Callable[[Content], bool]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a purge promises: nothing that it names and that is older than `versions`. soft: not as fresh."""

    names: Names
    versions: dict[Resource, int]
    soft: bool

    def is_broken_by(self, content: Content, *, as_fresh: bool) -> bool:
        if content.version >= self.versions[content.resource] or not self.names(content):
            return False
        return as_fresh or not self.soft


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the log; order: None = a tick, or the begin of a history."""

    position: int
    order: PurgeOrder | None = None
    claim: Claim | None = None
    begins: bool = False


Waiting = Callable[[], bool] | None
"""What a process yields: when it may go on; None = whenever its turn comes."""
Steps = Generator[Waiting, None, Any]


@dataclass(eq=False, slots=True)
class Process:
    """One request, fill or hop under way at a node."""

    steps: Steps
    waiting: Waiting = None
    is_done: bool = False
    result: Any = None
    """None when it died."""

    def done(self) -> bool:
        return self.is_done


class Origin:
    """What is true. `versions` and the tags of each."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.versions = dict.fromkeys(RESOURCES, 0)
        self.is_up = True
        self._named: dict[tuple[Resource, int], tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {}

    def update(self, resource: Resource) -> None:
        self.versions[resource] += 1

    def content(self, wanted: Wanted) -> Content:
        resource = wanted.resource
        at = (resource, self.versions[resource])
        if at not in self._named:
            pick = self._chance.sample
            self._named[at] = (
                tuple(pick(TAGS, self._chance.randrange(3))),
                tuple(pick(GROUPS, self._chance.randrange(2))),
            )
        encoding = wanted.encoding if resource.varies else None
        return Content(resource, wanted.scheme, encoding, at[1], *self._named[at])


class Log:
    """The purge log. Positions are never given twice."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.end = 1 << HISTORY_BITS

    def append(self, order: PurgeOrder | None = None, claim: Claim | None = None) -> None:
        self.end += 1
        self.entries.append(Entry(self.end, order, claim))

    def lose_oldest(self, count: int) -> None:
        """As by its bound on age or size; the last one always stays."""
        del self.entries[: min(count, len(self.entries) - 1)]

    def begin(self, lost: int) -> None:
        """The newest are gone, and somebody has noticed."""
        if lost:
            del self.entries[-lost:]
        sequence = (self.end & ((1 << HISTORY_BITS) - 1)) + 1
        self.end = ((self.end >> HISTORY_BITS) + 1 << HISTORY_BITS) + sequence
        self.entries.append(Entry(self.end, begins=True))

    def after(self, position: int) -> Entry | None:
        """The next that there is."""
        found = None
        for entry in reversed(self.entries):
            if entry.position <= position:
                break
            found = entry
        return found


@dataclass
class World:
    """One schedule. Nodes are added by who makes them; the first ones are asked by clients."""

    seed: int
    violations: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.origin = Origin(self.chance)
        self.kinds = self.chance.sample(tuple(KINDS), self.chance.randint(1, len(KINDS)))
        self.log = Log()
        self.log.append()
        self.now = 0
        self.truth: dict[bytes, Content] = {}

    def likely(self, share: float) -> bool:
        return self.chance.random() < share

    def stored(self, request: RequestHead, content: Content) -> StoredResponse:
        """The origin's answer, as whoever gets it first would store it; its fence is his."""
        name, resource = b"%d" % len(self.truth), content.resource
        self.truth[name] = content
        fields = Fields(
            (
                (b"ETag", b'"%d"' % content.version),
                (b"Surrogate-Key", b" ".join(content.tags)),
                (b"Cache-Groups", b", ".join(b'"%b"' % group for group in content.groups)),
                *(((b"Vary", b"Accept-Encoding"),) if resource.varies else ()),
            )
        )
        nominated = nominate(fields.all(b"vary"), request, VaryRules())
        assert nominated is not None
        head = ResponseHead(200, b"OK", fields)
        return StoredResponse(
            key=primary_key(request.authority, request.target, KeyRules()),
            nominated=nominated,
            head=head,
            freshness=FRESH,
            validators=parse_validators(head, NOW),
            body_length=0,
            body_id=name,
            selectors=selectors_for(resource.site, request.authority, request.target, fields),
        )

    def publish(self) -> None:
        """A purge of something; the origin has changed before, or it has not."""
        resource = self.chance.choice(RESOURCES)
        for each in RESOURCES:
            if each is resource or self.likely(0.3):
                self.origin.update(each)
        soft = self.likely(0.3)
        items: list[Selector] = []
        named: list[Names] = []
        for kind in self.chance.sample(self.kinds, min(len(self.kinds), self.chance.choice((1, 1, 2)))):
            selector, names = KINDS[kind](self, resource)
            items.append(selector)
            named.append(names)
            self.seen[f"{'soft' if soft else 'hard'} {kind}"] += 1
        order = PurgeOrder(f"p{self.log.end:x}", UnixSeconds(self.now), tuple(items), soft)
        versions = dict(self.origin.versions)
        self.log.append(order, Claim(lambda content: any(names(content) for names in named), versions, soft))

    def compare(self, content: Content, claims: list[Claim], *, as_fresh: bool, who: str) -> None:
        """An answer has come."""
        self.seen["fresh answer" if as_fresh else "stale answer"] += 1
        for claim in claims:
            if claim.is_broken_by(content, as_fresh=as_fresh):
                newest = claim.versions[content.resource]
                self.violations.append(f"{who}: {content} where {newest} was promised, soft: {claim.soft}")


Named = tuple[Selector, Names]


def _url(world: World, resource: Resource) -> Named:
    scheme = world.chance.choice(("http", "https"))
    uri = read_uri(f"{scheme}://{resource.host.decode()}{resource.path.decode()}")
    return uri, lambda content: content.resource == resource


def _variant(world: World, resource: Resource) -> Named:
    encoding = world.chance.choice(ENCODINGS)
    uri = read_uri(f"https://{resource.host.decode()}{resource.path.decode()}")
    return (
        read_variant(uri, {"Accept-Encoding": encoding.decode()}),
        lambda content: content.resource == resource and content.encoding in {encoding, None},
    )


def _tag(world: World, resource: Resource) -> Named:
    tag = world.chance.choice(TAGS + GROUPS)
    return (
        Tag(resource.site, tag),
        lambda content: content.resource.site == resource.site and tag in content.tags + content.groups,
    )


def _group(world: World, resource: Resource) -> Named:
    group = world.chance.choice(GROUPS)
    at = Wanted(resource, world.chance.choice((b"http", b"https")), b"").authority
    return (
        Group(at, group),
        lambda content: (
            Wanted(content.resource, content.scheme, b"").authority == at and group in content.groups
        ),
    )


def _prefix(world: World, resource: Resource) -> Named:
    path = world.chance.choice((b"/p", b"/p/"))
    return (
        read_prefix((resource.host + path).decode()),
        lambda content: (
            content.resource.host == resource.host
            and (content.resource.path == path or content.resource.path.startswith(b"/p/"))
        ),
    )


def _host(world: World, resource: Resource) -> Named:
    return Host(resource.host), lambda content: content.resource.host == resource.host


def _site(world: World, resource: Resource) -> Named:
    return Site(resource.site), lambda content: content.resource.site == resource.site


def _everything(world: World, resource: Resource) -> Named:
    return Everything(), lambda content: True


KINDS: dict[str, Callable[[World, Resource], Named]] = {
    "url": _url,
    "variant": _variant,
    "tag": _tag,
    "group": _group,
    "prefix": _prefix,
    "host": _host,
    "site": _site,
    "everything": _everything,
}
