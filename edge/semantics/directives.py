"""Cache directives, of responses and of requests. PURE.

Owns: which field governs a response, and what it says. The first of these that applies governs alone, and then neither
the ones below it nor Expires count (RFC 9213 s2.2):

1. `Perigee-CDN-Cache-Control`, 2. `CDN-Cache-Control`: strict structured dictionaries (RFC 9213). Empty, malformed, or
   a directive of the wrong type: the whole field counts for nothing.
3. `Surrogate-Control` (W3C Edge Architecture): where a directive that we know is for everyone or `;perigee`.
4. `Cache-Control` (RFC 9111 s5.2.2), with Expires and Pragma beside it.

Rules: the lenient reader never lets a malformed directive make a response fresher. A lifetime that is no number is 0;
of several the shortest counts, which is at any moment one of the two things RFC 9111 s4.2.1 allows (the first one, or
stale); `no-cache` or `private` with a broken argument is the one without. Nothing here raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import inf

from edge.semantics.message import Fields
from edge.semantics.stored import LifetimeSource
from edge.semantics.structured import Item, NotStructured, parse_dictionary
from edge.semantics.syntax import is_token, list_members, list_of_lines, parse_delta_seconds, unquote
from edge.values import value

SURROGATE_TARGET = b"perigee"
"""Our name as a target of Surrogate-Control, lower case."""

SURROGATE_CAPABILITY = b'%b="Surrogate/1.0"' % SURROGATE_TARGET
"""What we add to Surrogate-Capability towards the next tier."""

TARGETED = (
    (b"perigee-cdn-cache-control", LifetimeSource.PERIGEE_CDN_CACHE_CONTROL),
    (b"cdn-cache-control", LifetimeSource.CDN_CACHE_CONTROL),
)
"""Our target list in the order of RFC 9213 s2.2, lower-case names."""

_SECONDS = frozenset((b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error"))
_FLAGS = frozenset(
    (b"no-store", b"public", b"must-revalidate", b"proxy-revalidate", b"must-understand", b"immutable")
)
_FIELD_LISTS = frozenset((b"no-cache", b"private"))
_KNOWN = _SECONDS | _FLAGS | _FIELD_LISTS

_MEMOISED_LENGTH = 64
"""Bytes. Browsers' request values are far shorter; longer ones, made up to fill the memo, are not kept."""

Directive = tuple[bytes, bytes | None]
"""(lower-case name, argument without its quotes or None). A malformed argument stays as it came: it fits nothing."""


@value(frozen=True, slots=True)
class ResponseDirectives:
    """What the governing field says. Durations are whole seconds, None where it says nothing."""

    governed_by: LifetimeSource | None = None
    """The targeted field that governs; None = Cache-Control (or no field at all), then Expires counts too."""
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None
    no_store: bool = False
    no_cache: bool = False
    """Without an argument: validate before each reuse."""
    no_cache_fields: frozenset[bytes] = frozenset()
    """Lower-case names from no-cache="...": fields not to be reused without validation; we do not store them."""
    private: bool = False
    """Without an argument: not for a shared cache."""
    private_fields: frozenset[bytes] = frozenset()
    """Lower-case names from private="...": fields a shared cache does not store."""
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    pragma_no_cache: bool = False
    """Pragma: no-cache where no field governs. By RFC 9111 s5.4 it means nothing; but who writes it wants no guess."""

    @property
    def explicit_lifetime(self) -> int | None:
        """Seconds as a shared cache reads them: s-maxage before max-age; None when there is neither."""
        return self.max_age if self.s_maxage is None else self.s_maxage

    @property
    def forbids_stale(self) -> bool:
        """True where a shared cache never uses it stale without validation (RFC 9111 s4.2.4, s5.2.2.10)."""
        return self.no_cache or self.must_revalidate or self.proxy_revalidate or self.s_maxage is not None


def response_directives(fields: Fields) -> ResponseDirectives:
    """What governs a response with these fields, and what it says. RFC 9213 s2.2, RFC 9111 s5.2.2."""
    for name, source in TARGETED:
        value = fields.combined(name)
        if value is not None and (directives := _targeted(value)) is not None:
            return _folded(directives, source)
    if b"surrogate-control" in fields:
        directives = _surrogate(fields.all(b"surrogate-control"))
        if directives:
            return _folded(directives, LifetimeSource.SURROGATE_CONTROL)
    if b"cache-control" in fields:
        lines = fields.all(b"cache-control")
        if len(lines) == 1 and len(lines[0]) <= _MEMOISED_LENGTH:
            return _memoised_control(lines[0])
        return _folded(map(_directive, list_of_lines(lines)))
    return ResponseDirectives(pragma_no_cache=_says_no_cache(fields.all(b"pragma")))


@lru_cache(maxsize=512)
def _memoised_control(value: bytes) -> ResponseDirectives:
    """An origin says the same few things of all it has."""
    return _folded(map(_directive, list_members(value)))


def _directive(member: bytes) -> Directive:
    """One list member, read leniently: name[=argument], a quoted argument without its quotes."""
    name, equals, argument = member.partition(b"=")
    trimmed = name.rstrip(b" \t").lower()
    if not equals:
        return trimmed, None
    if len(trimmed) != len(name):
        return trimmed, b" " + argument  # "max-age =1": the name counts, the argument cannot be trusted
    content = unquote(argument)
    return trimmed, argument if content is None else content


def _folded(directives: Iterable[Directive], governed_by: LifetimeSource | None = None) -> ResponseDirectives:
    seconds: dict[bytes, int] = {}
    flags: set[bytes] = set()
    names: dict[bytes, set[bytes]] = {b"no-cache": set(), b"private": set()}
    for name, argument in directives:
        if name in _SECONDS:
            value = parse_delta_seconds(argument or b"") or 0
            seconds[name] = min(value, seconds.get(name, value))
        elif name in _FLAGS:
            flags.add(name)
        elif name in _FIELD_LISTS:
            listed = [member.lower() for member in list_members(argument or b"")]
            if listed and all(map(is_token, listed)):
                names[name].update(listed)
            else:
                flags.add(name)
    return ResponseDirectives(
        governed_by=governed_by,
        max_age=seconds.get(b"max-age"),
        s_maxage=seconds.get(b"s-maxage"),
        stale_while_revalidate=seconds.get(b"stale-while-revalidate"),
        stale_if_error=seconds.get(b"stale-if-error"),
        no_store=b"no-store" in flags,
        no_cache=b"no-cache" in flags,
        no_cache_fields=frozenset(names[b"no-cache"]),
        private=b"private" in flags,
        private_fields=frozenset(names[b"private"]),
        public=b"public" in flags,
        must_revalidate=b"must-revalidate" in flags,
        proxy_revalidate=b"proxy-revalidate" in flags,
        must_understand=b"must-understand" in flags,
        immutable=b"immutable" in flags,
    )


def _targeted(value: bytes) -> list[Directive] | None:
    """The directives of a targeted field; None when it counts for nothing (RFC 9213 s2.1)."""
    try:
        members = parse_dictionary(value)
    except NotStructured:
        return None
    if not members:
        return None
    directives: list[Directive] = []
    for key, member in members.items():
        name = key.encode("ascii")
        if name not in _KNOWN:
            continue
        given = member.value if isinstance(member, Item) else None
        if name in _SECONDS:
            if not isinstance(given, int) or isinstance(given, bool):
                return None
            directives.append((name, b"%d" % given))
        elif given is True:
            directives.append((name, None))
        elif name in _FIELD_LISTS and isinstance(given, str):
            directives.append((name, given.encode("ascii")))
        else:
            return None
    return directives


def _surrogate(lines: Sequence[bytes]) -> list[Directive]:
    """The directives we know that are for everyone or for us; one for us replaces those of its name for everyone."""
    for_all: list[Directive] = []
    for_us: list[Directive] = []
    for member in list_of_lines(lines):
        # targets come after the argument, which may be quoted and have a semicolon in it
        quoted = member.rfind(b'"') + 1
        rest, *targets = member[quoted:].split(b";")
        name, argument = _directive((member[:quoted] + rest).rstrip(b" \t"))
        if name == b"no-store-remote":
            name = b"no-store"
        if name not in _KNOWN:
            continue
        if not targets:
            for_all += _surrogate_directives(name, argument)
        elif SURROGATE_TARGET in (target.strip(b" \t").lower() for target in targets):
            for_us += _surrogate_directives(name, argument)
    replaced = {name for name, _ in for_us}
    return for_us + [directive for directive in for_all if directive[0] not in replaced]


def _surrogate_directives(name: bytes, argument: bytes | None) -> list[Directive]:
    """`max-age=600+60` is a lifetime and how long the response may be used stale after it."""
    if name != b"max-age" or argument is None or b"+" not in argument:
        return [(name, argument)]
    lifetime, _, extension = argument.partition(b"+")
    return [(name, lifetime), (b"stale-while-revalidate", extension), (b"stale-if-error", extension)]


def _says_no_cache(pragma: Sequence[bytes]) -> bool:
    return any(member.lower() == b"no-cache" for member in list_of_lines(pragma))


@value(frozen=True, slots=True)
class RequestDirectives:
    """What a client asks for, RFC 9111 s5.2.1. Seconds; None where it asks nothing. Malformed wishes are not heard."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int | None = None
    max_stale: float | None = None
    """How long past its lifetime a response may be; `inf` for max-stale without an argument."""


NO_WISHES = RequestDirectives()
"""The one value for requests that ask nothing: compare with `is`."""

_PRAGMA_NO_CACHE = RequestDirectives(no_cache=True)


def request_directives(fields: Fields) -> RequestDirectives:
    """What a request with these fields asks for. Pragma counts only where there is no Cache-Control (RFC 9111 s5.4)."""
    if b"cache-control" in fields:
        value = fields.all(b"cache-control")
        if len(value) == 1 and len(value[0]) <= _MEMOISED_LENGTH:
            return _memoised_wishes(value[0])
        return _wishes(list_of_lines(value))
    if b"pragma" in fields and _says_no_cache(fields.all(b"pragma")):
        return _PRAGMA_NO_CACHE
    return NO_WISHES


@lru_cache(maxsize=512)
def _memoised_wishes(value: bytes) -> RequestDirectives:
    return _wishes(list_members(value))


def _wishes(members: Sequence[bytes]) -> RequestDirectives:
    flags: set[bytes] = set()
    at_most: dict[bytes, float] = {}
    min_fresh: int | None = None
    for name, argument in map(_directive, members):
        flags.add(name)
        if argument is None:
            if name == b"max-stale":
                at_most.setdefault(name, inf)
        elif (seconds := parse_delta_seconds(argument)) is None:
            continue
        elif name == b"min-fresh":
            min_fresh = seconds if min_fresh is None else max(seconds, min_fresh)
        else:
            at_most[name] = min(seconds, at_most.get(name, inf))
    max_age = at_most.get(b"max-age")
    wishes = RequestDirectives(
        no_cache=b"no-cache" in flags,
        no_store=b"no-store" in flags,
        only_if_cached=b"only-if-cached" in flags,
        max_age=None if max_age is None else int(max_age),
        min_fresh=min_fresh,
        max_stale=at_most.get(b"max-stale"),
    )
    return NO_WISHES if wishes == NO_WISHES else wishes
