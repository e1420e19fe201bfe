"""The explanation says what the edge does, with its own numbers, and what to do about it."""

from __future__ import annotations

import json

import pytest

from edge.semantics.message import Authority, Fields, RequestHead, ResponseHead, UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import SiteRules
from edge.semantics.stored import LifetimeSource
from edge.semantics.syntax import format_http_date
from tools.explaining import CHANGES, SOURCES, Explanation, Fetch, as_json, as_lines, explain

NOW = 1_795_478_400.0
DATE = (b"Date", format_http_date(NOW - 2))


def explained(
    *fields: tuple[bytes, bytes], method: bytes = b"GET", status: int = 200, **asked: bytes
) -> Explanation:
    request_fields = Fields((name.replace("_", "-").encode(), value) for name, value in asked.items())
    request = RequestHead(method, Authority(b"http", b"a.example", 80), b"/x?b=1", request_fields)
    response = ResponseHead(status, b"", Fields((DATE, *fields)))
    return explain(Fetch(request, response, UnixSeconds(NOW - 1), UnixSeconds(NOW)), SiteRules())


def control(value: bytes) -> tuple[bytes, bytes]:
    return (b"Cache-Control", value)


@pytest.mark.parametrize(
    ("said", "because"),
    [
        (explained(control(b"max-age=60")), Because.STORED),
        (explained(control(b"no-store")), Because.NO_STORE),
        (explained(control(b"private")), Because.PRIVATE),
        (explained(control(b"max-age=60"), authorization=b"Basic x"), Because.AUTHORIZATION),
        (explained(control(b"max-age=60"), (b"Set-Cookie", b"a=b")), Because.SET_COOKIE),
        (explained(control(b"max-age=60"), (b"Vary", b"*")), Because.VARY_STAR),
        (explained(control(b"max-age=60"), method=b"PUT"), Because.METHOD_NOT_CACHED),
        (explained(), Because.NO_FRESHNESS),
    ],
    ids=lambda value: value.value if isinstance(value, Because) else "",
)
def test_the_verdict_is_the_edges_own_and_a_refusal_says_what_would_change_it(
    said: Explanation, because: Because
):
    assert said.because is because
    if because is not Because.STORED:
        assert said.changes == (CHANGES[because],)
        assert ("verdict", f"not stored ({because.value})") in [
            (what, line.split(":")[0]) for what, line in as_lines(said)
        ]


def test_the_arithmetic_of_the_age_is_shown():
    said = explained(control(b"max-age=60"), (b"Age", b"5"))
    assert said.age == 6.0
    assert said.remaining == 54.0
    assert (
        dict(as_lines(said))["age"] == "6.0 s: the larger of 2.0 s since Date and Age 5 s + 1.0 s on the way"
    )
    assert dict(as_lines(said))["so"] == "fresh for another 54.0 s"


def test_a_stale_response_says_since_when():
    assert dict(as_lines(explained(control(b"max-age=1"))))["so"] == "stale for 1.0 s"


@pytest.mark.parametrize(
    ("cache_control", "then"),
    [
        (
            b"max-age=9, stale-while-revalidate=30, stale-if-error=0",
            "used stale for 30 s more while it is fetched anew",
        ),
        (b"max-age=9, must-revalidate", "validated with the origin before it is used again"),
        (b"no-cache, max-age=9", "validated with the origin before each use, fresh or not"),
    ],
)
def test_what_happens_after_the_lifetime_is_said(cache_control: bytes, then: str):
    assert dict(as_lines(explained(control(cache_control), (b"ETag", b'"1"'))))["then"] == then


@pytest.mark.parametrize(
    ("fields", "source", "change"),
    [
        ((control(b"max-age=60"),), LifetimeSource.MAX_AGE, "stale-while-revalidate"),
        (
            ((b"Last-Modified", format_http_date(NOW - 1000)),),
            LifetimeSource.HEURISTIC,
            "no cache has to guess",
        ),
        ((control(b"s-maxage=60"),), LifetimeSource.S_MAXAGE, "drop s-maxage"),
        ((control(b"no-cache, max-age=9"), (b"ETag", b'"1"')), LifetimeSource.MAX_AGE, "drop no-cache"),
        ((control(b"max-age=0"), (b"ETag", b'"1"')), LifetimeSource.MAX_AGE, "above 0"),
    ],
)
def test_a_stored_response_says_what_would_make_it_better(
    fields: tuple[tuple[bytes, bytes], ...], source: LifetimeSource, change: str
):
    said = explained(*fields)
    assert said.freshness.source is source
    assert any(change in one for one in said.changes)


def test_the_key_the_variant_and_what_caches_said_are_shown():
    fields = (control(b"max-age=60"), (b"Vary", b"Accept-Encoding, X-A"), (b"Cache-Status", b"fra; hit"))
    said = explained(*fields, accept_encoding=b"gzip")
    assert dict(said.vary) == {"accept-encoding": "gzip", "x-a": None}
    assert said.cache_status == "fra; hit"
    assert said.target == "/x?b=1"
    assert len(said.key) == 64


def test_a_program_gets_the_same():
    said = explained(control(b"max-age=60"))
    assert json.loads(json.dumps(as_json(said)))["lifetime_source"] == "max-age"
    assert as_json(said)["stored"] is True


def test_every_source_of_a_lifetime_has_its_words():
    assert set(SOURCES) == set(LifetimeSource)
