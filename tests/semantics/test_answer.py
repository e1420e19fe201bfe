"""Answers from stored responses: the right status, fields and bytes."""

from __future__ import annotations

import pytest

from edge.semantics.answer import build_answer
from edge.semantics.decisions import Answer
from edge.semantics.message import Line
from tests.kit.stored_responses import asking, holding

BOUNDARY = b"b0undary"
DATE = b"Tue, 24 Nov 2026 06:39:00 GMT"
CHANGED = b"Tue, 24 Nov 2026 06:38:00 GMT"
STORED: list[Line] = [
    (b"Date", DATE),
    (b"Content-Type", b"text/plain"),
    (b"Content-Encoding", b"gzip"),
    (b"Content-Language", b"en"),
    (b"Content-Location", b"/a.txt"),
    (b"Content-Digest", b"sha-256=:AAAA:"),
    (b"Cache-Control", b"max-age=60"),
    (b"ETag", b'"a"'),
    (b"Last-Modified", CHANGED),
    (b"Vary", b"Accept"),
    (b"Set-Cookie", b"a=1"),
    (b"Access-Control-Allow-Origin", b"*"),
]
AGE = (b"Age", b"7")


def build(*lines: Line, method: bytes = b"GET", status: int = 200, length: int = 10) -> Answer:
    stored = holding(*STORED, status=status, length=length)
    return build_answer(asking(*lines, method=method), stored, 7.99, BOUNDARY, 8)


def test_a_plain_request_gets_the_stored_response_with_its_age():
    answer = build((b"Accept", b"*/*"))
    assert (answer.head.status, answer.spans, answer.length) == (200, None, 10)
    assert answer.head.fields.lines == (*STORED, AGE)


def test_age_is_whole_seconds_however_young_or_old():
    ages = [
        build_answer(asking(), holding(), age, b"b", 8).head.fields.get(b"age")
        for age in (0.0, 0.9, 86_400.5)
    ]
    assert ages == [b"0", b"0", b"86400"]


def test_head_gets_the_head_and_the_length_only():
    for answer in (build(method=b"HEAD"), build((b"Range", b"bytes=0-1"), method=b"HEAD")):
        assert (answer.head.status, answer.spans, answer.length) == (200, (), 10)
        assert answer.head.fields.lines == (*STORED, AGE)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_304_has_what_identifies_and_updates_but_not_what_describes_the_content(method):
    answer = build((b"If-None-Match", b'"a"'), (b"Range", b"bytes=0-1"), method=method)
    assert (answer.head.status, answer.head.reason, answer.spans, answer.length) == (304, b"", (), 0)
    names = [name for name, _ in answer.head.fields]
    assert names == [
        b"Date",
        b"Content-Location",
        b"Content-Digest",
        b"Cache-Control",
        b"ETag",
        b"Last-Modified",
        b"Vary",
        b"Set-Cookie",
        b"Access-Control-Allow-Origin",
        b"Age",
    ]


ERRORS = [
    (412, (b"If-Match", b'"b"'), []),
    (416, (b"Range", b"bytes=10-"), [(b"Content-Range", b"bytes */10")]),
]


@pytest.mark.parametrize(("status", "line", "more"), ERRORS)
def test_an_error_from_a_stored_response_cannot_be_stored_in_its_place(status, line, more):
    answer = build(line)
    assert (answer.head.status, answer.spans, answer.length) == (status, (), 0)
    assert list(answer.head.fields.lines) == [
        (b"Date", DATE),
        (b"Vary", b"Accept"),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"Cache-Control", b"no-store"),
        *more,
    ]


def test_one_range_is_a_206_with_the_stored_fields():
    answer = build((b"Range", b"bytes=2-4"))
    assert (answer.head.status, answer.spans, answer.length) == (206, ((2, 5),), 3)
    assert (answer.preambles, answer.closing) == ((), b"")
    kept = [line for line in STORED if line[0] != b"Content-Digest"]
    assert answer.head.fields.lines == (*kept, AGE, (b"Content-Range", b"bytes 2-4/10"))


def test_several_ranges_are_multipart():
    answer = build((b"Range", b"bytes=0-1,-1"))
    assert (answer.head.status, answer.spans) == (206, ((0, 2), (9, 10)))
    assert answer.head.fields.all(b"content-type") == (b"multipart/byteranges; boundary=b0undary",)
    assert b"content-range" not in answer.head.fields
    assert answer.preambles[0].startswith(b"--b0undary\r\nContent-Type: text/plain\r\n")
    assert answer.length == sum(map(len, answer.preambles)) + 3 + len(answer.closing)


WHOLE = [
    # name, request lines, stored status
    ("If-Range of another tag", [(b"Range", b"bytes=0-1"), (b"If-Range", b'"b"')], 200),
    ("If-Range without Range", [(b"If-Range", b'"a"')], 200),
    ("too many", [(b"Range", b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(9)))], 200),
    ("overlap", [(b"Range", b"bytes=0-5,4-6")], 200),
    ("other unit", [(b"Range", b"items=0-1")], 200),
    ("condition says send it", [(b"If-None-Match", b'"b"')], 200),
    ("other status, range", [(b"Range", b"bytes=0-1")], 404),
    ("other status, condition", [(b"If-None-Match", b'"a"')], 404),
]


@pytest.mark.parametrize(("name", "lines", "status"), WHOLE)
def test_everything_else_gets_the_whole(name, lines, status):
    answer = build(*lines, status=status)
    assert (answer.head.status, answer.spans, answer.length) == (status, None, 10)
    assert answer.head.fields.lines == (*STORED, AGE)


def test_if_range_of_the_same_representation_gets_the_part():
    for condition in (b'"a"', CHANGED):
        answer = build((b"Range", b"bytes=0-1"), (b"If-Range", condition))
        assert (answer.head.status, answer.spans) == (206, ((0, 2),))


def test_an_empty_body_has_no_ranges():
    assert build((b"Range", b"bytes=0-1"), length=0).head.status == 200


def test_a_range_is_for_get_alone():
    assert build((b"Range", b"bytes=0-1"), method=b"POST").head.status == 200


def test_a_stored_content_range_does_not_stay_beside_ours():
    stored = holding((b"Content-Range", b"garbage"))
    one = build_answer(asking((b"Range", b"bytes=0-1")), stored, 0.0, BOUNDARY, 8)
    assert one.head.fields.all(b"content-range") == (b"bytes 0-1/10",)
    two = build_answer(asking((b"Range", b"bytes=0-1,3-4")), stored, 0.0, BOUNDARY, 8)
    assert b"content-range" not in two.head.fields
    assert build_answer(asking(), stored, 0.0, BOUNDARY, 8).head.fields.get(b"content-range") == b"garbage"


@pytest.mark.parametrize("for_tier", [False, True])
def test_a_304_for_a_tier_of_ours_keeps_what_it_may_have_to_freshen(for_tier):
    stored = holding((b"ETag", b'"a"'), (b"Content-Type", b"text/plain"))
    answer = build_answer(asking((b"If-None-Match", b'"a"')), stored, 1.0, b"-", 8, for_tier=for_tier)
    assert answer.head.status == 304
    assert (answer.head.fields.get(b"content-type") == b"text/plain") is for_tier
