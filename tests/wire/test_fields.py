"""A field section split into what travels on and what belongs to this hop (RFC 9110 s7.6.1)."""

import pytest

from edge.semantics.message import Fields
from edge.wire.fields import sort_lines
from edge.wire.grammar import split_lines


@pytest.mark.parametrize(
    "section,end_to_end,hop,options",
    [
        (b"", [], {}, set()),
        (b"A: 1\r\nb: 2\r\nA: 3\r\n", [(b"A", b"1"), (b"b", b"2"), (b"A", b"3")], {}, set()),
        (b"Host: h\r\nA: 1\r\n", [(b"A", b"1")], {b"host": [b"h"]}, set()),
        (b"Content-Length: 5\r\nCONTENT-LENGTH: 6\r\n", [], {b"content-length": [b"5", b"6"]}, set()),
        (b"Connection: close\r\nA: 1\r\n", [(b"A", b"1")], {b"connection": [b"close"]}, {b"close"}),
        (b"Connection: X-A, x-b\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-C: 4\r\n", [(b"X-C", b"4")], {b"connection": [b"X-A, x-b"]}, {b"x-a", b"x-b"}),
        (b"X-A: 1\r\nConnection: x-a\r\n", [], {b"connection": [b"x-a"]}, {b"x-a"}),
        # what Connection cannot take away
        (b"Connection: Content-Type, Cache-Control, Via, CDN-Loop\r\nContent-Type: a\r\nCache-Control: b\r\nVia: c\r\nCDN-Loop: d\r\n",
         [(b"Content-Type", b"a"), (b"Cache-Control", b"b"), (b"Via", b"c"), (b"CDN-Loop", b"d")],
         {b"connection": [b"Content-Type, Cache-Control, Via, CDN-Loop"]}, {b"content-type", b"cache-control", b"via", b"cdn-loop"}),
        # what old peers send without listing it
        (b"Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nProxy-Authorization: x\r\nExpect: 100-continue\r\nA: 1\r\n",
         [(b"A", b"1")],
         {b"keep-alive": [b"5"], b"proxy-connection": [b"keep-alive"], b"te": [b"trailers"], b"trailer": [b"X"], b"upgrade": [b"h2c"],
          b"http2-settings": [b"AA"], b"proxy-authorization": [b"x"], b"expect": [b"100-continue"]}, set()),
    ],
)  # fmt: skip
def test_a_section_is_split(section, end_to_end, hop, options):
    read = sort_lines(split_lines(section + b"\r\n"))
    assert (list(read.end_to_end), read.hop, read.options) == (end_to_end, hop, options)
    assert read.end_to_end == Fields(end_to_end)
    for name in {name.lower() for name, _ in end_to_end}:
        assert read.end_to_end.all(name) == Fields(end_to_end).all(name)


def test_what_is_kept_is_in_both_parts():
    lines = split_lines(b"Content-Length: 5\r\nHost: h\r\n\r\n")
    read = sort_lines(lines, frozenset((b"content-length",)))
    assert list(read.end_to_end) == [(b"Content-Length", b"5")]
    assert read.hop == {b"content-length": [b"5"], b"host": [b"h"]}
