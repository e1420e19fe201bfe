"""Ranges: every byte asked for, none beside the body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.ranges import content_range, multipart, requested_spans, unsatisfied_range

RANGES = [
    # RFC 9110 s14: name, Range, length, spans (None = ignore the field, () = 416)
    ("14.1.2 first bytes", b"bytes=0-1", 11, ((0, 2),)),
    ("14.1.2 from", b"bytes=1-", 11, ((1, 11),)),
    ("14.1.2 last bytes", b"bytes=-1", 11, ((10, 11),)),
    ("14.1.2 last beyond the end", b"bytes=9-99", 10, ((9, 10),)),
    ("14.1.2 suffix beyond the start", b"bytes=-99", 10, ((0, 10),)),
    ("14.1.2 the whole", b"bytes=0-9", 10, ((0, 10),)),
    ("14.1.2 several", b"bytes=0-0,-1", 10, ((0, 1), (9, 10))),
    ("14.1.2 order is the client's", b"bytes=5-6, 0-1", 10, ((5, 7), (0, 2))),
    ("14.1.2 adjacent is no overlap", b"bytes=0-4,5-9", 10, ((0, 5), (5, 10))),
    ("14.1.2 unsatisfiable ones are left out", b"bytes=0-0,20-30", 10, ((0, 1),)),
    ("14.1.2 start beyond", b"bytes=10-", 10, ()),
    ("14.1.2 start beyond", b"bytes=10-20,99-", 10, ()),
    ("14.1.2 no last bytes", b"bytes=-0", 10, ()),
    ("14.1.1 last before first", b"bytes=5-4", 10, None),
    ("14.1.1 one bad range spoils all", b"bytes=0-1,5-4", 10, None),
    ("14.1 unit in any case", b"BYTES=0-1", 10, ((0, 2),)),
    ("14.1 other unit", b"items=0-1", 10, None),
    ("14.1 no unit", b"0-1", 10, None),
    ("5.6.1 white space and empty members", b"bytes= ,0-1 ,\t, 3-4,", 10, ((0, 2), (3, 5))),
    ("5.6.1 no member", b"bytes=,", 10, None),
    ("14.1.1 nothing", b"bytes=", 10, None),
    ("14.1.1 no number", b"bytes=-", 10, None),
    ("14.1.1 junk", b"bytes=a-b", 10, None),
    ("14.1.1 inner space", b"bytes=0 - 1", 10, None),
    ("14.1.1 sign", b"bytes=+0-1", 10, None),
    ("14.1.1 hex", b"bytes=0x0-1", 10, None),
    ("14.1.1 double", b"bytes=--1", 10, None),
    ("14.1.2 long numerals", b"bytes=0-" + b"9" * 5000, 10, ((0, 10),)),
    ("14.1.2 long numerals", b"bytes=" + b"9" * 5000 + b"-", 10, ()),
    ("14.1.2 leading zeros", b"bytes=" + b"0" * 5000 + b"1-2", 10, ((1, 3),)),
    ("14.2 overlap", b"bytes=0-5,5-9", 10, None),
    ("14.2 overlap", b"bytes=0-,0-,0-", 10, None),
    ("14.2 overlap by suffix", b"bytes=0-0,-10", 10, None),
    ("14.2 eight ranges", b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 16, 2)), 99, tuple((n, n + 1) for n in range(0, 16, 2))),
    ("14.2 nine ranges", b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 18, 2)), 99, None),
    ("14.2 many unsatisfiable ones", b"bytes=" + b",".join([b"99-"] * 9), 10, None),
    ("14.2 empty body", b"bytes=0-", 0, None),
    ("14.2 empty body", b"bytes=-1", 0, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "length", "spans"), RANGES)
def test_a_range_is_resolved_against_the_body(name, value, length, spans):
    assert requested_spans([value], length, 8) == spans


def test_two_range_fields_are_ignored():
    assert requested_spans([b"bytes=0-1", b"bytes=0-1"], 10, 8) is None


PIECES = st.sampled_from([b"0", b"1", b"7", b"99", b"-", b",", b" ", b"x"])


@given(st.lists(PIECES).map(b"".join), st.integers(0, 40), st.integers(1, 4))
def test_spans_lie_within_the_body_and_beside_each_other(specs, length, most):
    spans = requested_spans([b"bytes=" + specs], length, most)
    if spans is None:
        return
    seen = [position for start, stop in spans for position in range(start, stop)]
    assert all(start < stop for start, stop in spans)
    assert set(seen) <= set(range(length))
    assert len(seen) == len(set(seen))
    assert len(spans) <= most


@given(st.integers(0, 99), st.integers(1, 99), st.integers(1, 99))
def test_one_range_within_the_body_is_what_was_asked_for(first, size, more):
    length = first + size + more
    assert requested_spans([b"bytes=%d-%d" % (first, first + size - 1)], length, 1) == (
        (first, first + size),
    )
    assert requested_spans([b"bytes=%d-" % first], length, 1) == ((first, length),)
    assert requested_spans([b"bytes=-%d" % more], length, 1) == ((length - more, length),)


def test_content_range_counts_inclusively():
    assert content_range((0, 500), 1234) == b"bytes 0-499/1234"
    assert unsatisfied_range(1234) == b"bytes */1234"


def joined(spans: tuple[tuple[int, int], ...], body: bytes, content_type: bytes | None) -> tuple[bytes, int]:
    preambles, closing, total = multipart(spans, len(body), content_type, b"XX")
    parts = [lead + body[start:stop] for lead, (start, stop) in zip(preambles, spans, strict=True)]
    return b"".join(parts) + closing, total


def test_multipart_bodies_are_framed_as_the_rfc_shows():
    body, total = joined(((0, 2), (8, 10)), b"0123456789", b"text/plain")
    assert body == (
        b"--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
        b"\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89"
        b"\r\n--XX--\r\n"
    )
    assert total == len(body)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), min_size=2, max_size=4),
    st.none() | st.just(b"a/b"),
)
def test_the_length_of_a_multipart_body_is_exact(pieces, content_type):
    spans = tuple((start, start + size) for start, size in pieces)
    body, total = joined(spans, bytes(30), content_type)
    assert total == len(body)
    assert (b"Content-Type" in body) is (content_type is not None)
