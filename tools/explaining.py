"""Why a response is or is not cached, as values. Does no I/O and reads no clock.

Owns: `Explanation` and the sentences in it. Rule: nothing is decided here; every verdict and every number comes from
edge.semantics, the same functions that the edge calls, so that the explanation cannot differ from what it does.
RFC 9111 s3, s4.2; RFC 5861.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge.semantics.directives import ResponseDirectives, response_directives
from edge.semantics.freshness import compute_freshness, date_of
from edge.semantics.key import canonical_target, nominate, primary_key
from edge.semantics.message import RequestHead, ResponseHead, UnixSeconds
from edge.semantics.reasons import SENTENCE, Because
from edge.semantics.rules import SiteRules
from edge.semantics.stored import Freshness, LifetimeSource
from edge.semantics.storing import may_store
from edge.semantics.syntax import parse_age
from edge.semantics.validation import parse_validators

CHANGES: Mapping[Because, str] = MappingProxyType(
    {
        Because.NO_STORE: "drop no-store from the origin's Cache-Control (no-cache keeps it validated each time)",
        Because.PRIVATE: "drop private, if everyone may have the same answer",
        Because.AUTHORIZATION: "say public, s-maxage or must-revalidate, if everyone with access gets the same answer",
        Because.NO_FRESHNESS: "say Cache-Control: max-age=SECONDS, or send an ETag so that it can be validated",
        Because.SET_COOKIE: 'send the cookie elsewhere, or say store.set_cookie = "strip" for the site',
        Because.COOKIE: 'name the cookies that matter in key.cookies, or say store.cookie = "strip" for the site',
        Because.TOO_LARGE: "raise store.max_object for the site",
        Because.STATUS_NOT_FINAL: "nothing: this status is never stored",
        Because.METHOD_NOT_CACHED: "ask with GET",
        Because.REQUEST_NO_STORE: "ask without Cache-Control: no-store",
        Because.VARY_STAR: "name the fields that matter in Vary instead of *",
        Because.MUST_UNDERSTAND: "drop must-understand, or use a status that caches know",
        Because.PARTIAL_CONTENT: "ask without Range: the edge cuts ranges from the whole",
    }
)
"""What would make a response that is not stored be stored."""

SOURCES: Mapping[LifetimeSource, str] = MappingProxyType(
    {
        LifetimeSource.PERIGEE_CDN_CACHE_CONTROL: "the origin's Perigee-CDN-Cache-Control",
        LifetimeSource.CDN_CACHE_CONTROL: "the origin's CDN-Cache-Control",
        LifetimeSource.SURROGATE_CONTROL: "the origin's Surrogate-Control",
        LifetimeSource.S_MAXAGE: "s-maxage in the origin's Cache-Control",
        LifetimeSource.MAX_AGE: "max-age in the origin's Cache-Control",
        LifetimeSource.EXPIRES: "Expires minus Date",
        LifetimeSource.STATUS_TTL: "the site's ttl for this status",
        LifetimeSource.DEFAULT_TTL: "the site's default ttl",
        LifetimeSource.HEURISTIC: "a guess: a share of the time since Last-Modified (RFC 9111 s4.2.2)",
        LifetimeSource.NONE: "nothing says how long, so not at all",
    }
)


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request and what came back. request_time, response_time: when it was sent, and when the head had come."""

    request: RequestHead
    response: ResponseHead
    request_time: UnixSeconds
    response_time: UnixSeconds


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about one response. Seconds throughout; key: hexadecimal."""

    site: str
    status: int
    cache_status: str | None
    """What caches on the way said (RFC 9211), None = nothing."""
    key: str
    target: str
    """The part of the target that is in the key and goes upstream."""
    vary: Mapping[str, str | None]
    """Nominated request fields with the form that is compared, None = absent from the request."""
    because: Because
    freshness: Freshness
    age: float
    age_arithmetic: str
    changes: tuple[str, ...]

    @property
    def is_stored(self) -> bool:
        """Whether a shared cache under these rules stores it."""
        return self.because is Because.STORED

    @property
    def remaining(self) -> float:
        """Seconds for which it stays fresh; negative = stale since."""
        return self.freshness.lifetime - self.age


def explain(fetch: Fetch, rules: SiteRules) -> Explanation:
    """What a shared cache under `rules` makes of `fetch`. Raises BadTarget for a target that is refused."""
    request, response = fetch.request, fetch.response
    directives = response_directives(response.fields)
    key = primary_key(request.authority, request.target, rules.key)
    freshness = compute_freshness(
        request,
        response,
        directives,
        request_time=fetch.request_time,
        response_time=fetch.response_time,
        rules=rules,
        key=key,
    )
    nominated = nominate(response.fields.all(b"vary"), request, rules.vary, rules.key)
    validators = parse_validators(response, fetch.response_time)
    because = may_store(request, response, directives, freshness, validators, rules)
    if because is Because.STORED and nominated is None:
        because = Because.VARY_STAR
    cache_status = response.fields.combined(b"cache-status")
    return Explanation(
        site=rules.name,
        status=response.status,
        cache_status=None if cache_status is None else _text(cache_status),
        key=key.hex(),
        target=_text(canonical_target(request.target, rules.key)),
        vary={_text(name): None if value is None else _text(value) for name, value in nominated or ()},
        because=because,
        freshness=freshness,
        age=freshness.age(fetch.response_time),
        age_arithmetic=_age_arithmetic(fetch),
        changes=tuple(_changes(because, freshness, directives)),
    )


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _age_arithmetic(fetch: Fetch) -> str:
    """RFC 9111 s4.2.3 with the numbers in it."""
    apparent = max(0.0, fetch.response_time - date_of(fetch.response, fetch.response_time))
    value = parse_age(fetch.response.fields.all(b"age")) or 0
    delay = max(0.0, fetch.response_time - fetch.request_time)
    return f"the larger of {apparent:.1f} s since Date and Age {value} s + {delay:.1f} s on the way"


def _changes(because: Because, freshness: Freshness, directives: ResponseDirectives) -> list[str]:
    """What the operator could do, most useful first."""
    if because is not Because.STORED:
        change = CHANGES.get(because)
        return [] if change is None else [change]
    changes: list[str] = []
    if freshness.no_cache:
        changes.append("drop no-cache: each use is validated with the origin first")
    elif freshness.source is LifetimeSource.HEURISTIC:
        changes.append("say Cache-Control: max-age=SECONDS, so that no cache has to guess")
    elif freshness.lifetime == 0.0:
        changes.append("say a max-age above 0: it is stale at once and validated on each use")
    if directives.forbids_stale:
        changes.append(
            "drop s-maxage, must-revalidate and proxy-revalidate, to let it be used stale when the origin fails"
        )
    elif freshness.stale_while_revalidate == 0.0:
        changes.append("say stale-while-revalidate=SECONDS, to answer at once while it is fetched anew")
    return changes


def as_json(explanation: Explanation) -> dict[str, object]:
    """The same for programs."""
    freshness = explanation.freshness
    return {
        "site": explanation.site,
        "status": explanation.status,
        "cache_status": explanation.cache_status,
        "key": explanation.key,
        "target": explanation.target,
        "vary": dict(explanation.vary),
        "stored": explanation.is_stored,
        "because": explanation.because.value,
        "lifetime": freshness.lifetime,
        "lifetime_source": freshness.source.value,
        "age": explanation.age,
        "remaining": explanation.remaining,
        "stale_while_revalidate": freshness.stale_while_revalidate,
        "stale_if_error": freshness.stale_if_error,
        "validated_each_time": freshness.no_cache,
        "changes": list(explanation.changes),
    }


def as_lines(explanation: Explanation) -> list[tuple[str, str]]:
    """(what, said) for people, in the order of the questions they ask."""
    freshness = explanation.freshness
    because = explanation.because
    verdict = "stored" if explanation.is_stored else f"not stored ({because.value}): {SENTENCE[because]}"
    lines = [
        ("status", str(explanation.status)),
        ("caches said", explanation.cache_status or "nothing (no Cache-Status: not through an edge?)"),
        ("verdict", verdict),
    ]
    if explanation.is_stored:
        state = "fresh for another" if explanation.remaining > 0.0 else "stale for"
        lines += [
            ("lifetime", f"{freshness.lifetime:.1f} s: {SOURCES[freshness.source]}"),
            ("age", f"{explanation.age:.1f} s: {explanation.age_arithmetic}"),
            ("so", f"{state} {abs(explanation.remaining):.1f} s"),
            ("then", _then(freshness)),
        ]
    lines.append(("site", explanation.site))
    lines.append(("key", f"{explanation.key} (target {explanation.target})"))
    lines += [
        ("varies with", f"{name}: {'(absent)' if value is None else value}")
        for name, value in explanation.vary.items()
    ]
    return lines + [("to change it", change) for change in explanation.changes]


def _then(freshness: Freshness) -> str:
    if freshness.no_cache:
        return "validated with the origin before each use, fresh or not"
    windows = [
        f"{seconds:.0f} s more {when}"
        for seconds, when in (
            (freshness.stale_while_revalidate, "while it is fetched anew"),
            (freshness.stale_if_error, "if the origin fails"),
        )
        if seconds > 0.0
    ]
    return (
        "used stale for " + " and ".join(windows)
        if windows
        else "validated with the origin before it is used again"
    )
