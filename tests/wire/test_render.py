"""What we write: built from parts, readable by ourselves, and never with a second head inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.message import EMPTY, Authority, Fields, RequestHead
from edge.wire.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Length
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.render import (
    CONTINUE,
    LAST_CHUNK,
    _sections,
    chunk,
    head,
    last_chunk,
    remember,
    request_head,
    response_head,
    response_start,
    status_line,
    target_uri,
)
from edge.wire.request import parse_request_head
from edge.wire.response import parse_response_head


@pytest.mark.parametrize(
    "status,reason,line",
    [
        (200, b"", b"HTTP/1.1 200 OK"),
        (200, b"OK", b"HTTP/1.1 200 OK"),
        (200, b"Fine", b"HTTP/1.1 200 Fine"),
        (404, b"", b"HTTP/1.1 404 Not Found"),
        (799, b"", b"HTTP/1.1 799 "),
        (799, b"Odd", b"HTTP/1.1 799 Odd"),
    ],
)
def test_a_status_line_has_the_reason_it_came_with_or_the_usual_one(status: int, reason: bytes, line: bytes):
    assert status_line(status, reason) == line


@pytest.mark.parametrize(
    "method,framing,hop,last",
    [
        (b"GET", NO_BODY, (), b""),
        (b"HEAD", NO_BODY, (), b""),
        (b"DELETE", NO_BODY, (), b""),
        (b"OPTIONS", NO_BODY, (), b""),
        (b"POST", NO_BODY, (), b"Content-Length: 0\r\n"),
        (b"PUT", NO_BODY, (), b"Content-Length: 0\r\n"),
        (b"GET", Length(5), (), b"Content-Length: 5\r\n"),
        (b"POST", CHUNKED, (), b"Transfer-Encoding: chunked\r\n"),
        (b"GET", NO_BODY, ((b"Connection", b"close"),), b"Connection: close\r\n"),
    ],
)
def test_a_request_head_writes_host_and_framing_itself(method: bytes, framing: Framing, hop, last: bytes):
    made = request_head(method, b"/a", b"h.test", Fields([(b"X-A", b"1"), (b"x-a", b"2")]), framing, *hop)
    assert made == method + b" /a HTTP/1.1\r\nHost: h.test\r\nX-A: 1\r\nx-a: 2\r\n" + last + b"\r\n"


def test_only_lines_that_will_come_again_are_kept_and_they_are_the_same():
    fields = Fields([(b"X-A", b"1"), (b"x-a", b"2")])
    first = request_head(b"GET", b"/a", b"h.test", fields, NO_BODY)
    assert _sections.get(fields) is None
    remember(fields)
    kept = _sections.get(fields)
    assert kept is not None
    assert first.endswith(kept)
    assert request_head(b"GET", b"/a", b"h.test", fields, NO_BODY) == first


@pytest.mark.parametrize(
    "framing_line", [None, (b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked")]
)
def test_a_response_head_never_copies_a_length(framing_line):
    lines = [(b"X-A", b"1"), (b"content-LENGTH", b"5"), (b"X-B", b"2")]
    made = response_head(200, b"", lines, framing_line, (b"Connection", b"close"))
    framed = b"%b: %b\r\n" % framing_line if framing_line else b""
    assert made == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\n" + framed + b"Connection: close\r\n\r\n"


def test_a_head_that_is_completed_later_lacks_the_empty_line_and_what_is_to_stay_out():
    lines = [(b"X-A", b"1"), (b"content-LENGTH", b"5"), (b"AGE", b"2")]
    without = frozenset((b"content-length", b"age"))
    made = response_start(200, b"", lines, without, (b"Age", b"3"), (b"Content-Length", b"7"))
    assert made == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nAge: 3\r\nContent-Length: 7\r\n"


BREAKS = [b"a\r\nX: 1", b"a\n", b"\ra", b"a\0b", b"a\r\n\r\nGET / HTTP/1.1"]


@pytest.mark.parametrize("value", BREAKS)
def test_nothing_received_can_grow_a_second_head(value: bytes):
    for write in (
        lambda: head(value, []),
        lambda: head(b"GET / HTTP/1.1", [(b"X", value)]),
        lambda: head(b"GET / HTTP/1.1", [(value, b"x")]),
        lambda: request_head(b"GET", value, b"h", EMPTY, NO_BODY),
        lambda: request_head(b"GET", b"/", value, EMPTY, NO_BODY),
        lambda: response_head(200, value, [], None),
        lambda: response_start(200, value, [], frozenset()),
        lambda: response_start(200, b"", [(b"X", value)], frozenset()),
        lambda: response_start(200, b"", [], frozenset(), (b"X", value)),
        lambda: last_chunk(Fields([(b"X", value)])),
        lambda: remember(Fields([(b"X", value)])),
        lambda: request_head(b"GET", b"/", b"h", Fields([(b"X", value)]), NO_BODY),
    ):
        with pytest.raises(AssertionError):
            write()


def test_a_chunk_is_never_empty():
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    with pytest.raises(AssertionError, match="empty chunk"):
        chunk(b"")


def test_the_last_chunk_carries_the_trailers():
    assert last_chunk(EMPTY) == LAST_CHUNK == b"0\r\n\r\n"
    assert last_chunk(Fields([(b"X", b"1"), (b"Y", b"2")])) == b"0\r\nX: 1\r\nY: 2\r\n\r\n"
    assert CONTINUE == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    "authority,uri",
    [
        (Authority(b"http", b"a.test", 80), b"http://a.test/x?y"),
        (Authority(b"https", b"a.test", 443), b"https://a.test/x?y"),
        (Authority(b"https", b"a.test", 80), b"https://a.test:80/x?y"),
    ],
)
def test_a_target_uri_shows_a_port_only_where_it_is_not_the_schemes_own(authority: Authority, uri: bytes):
    assert target_uri(RequestHead(b"GET", authority, b"/x?y", EMPTY)) == uri


NAMES = st.from_regex(rb"X-[A-Za-z0-9!#$%&'*+.^_`|~-]{0,10}", fullmatch=True)
VALUES = st.from_regex(
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]{0,10}[\x21-\x7e\x80-\xff])?)?", fullmatch=True
)
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=8)
TARGETS = st.from_regex(rb"/[A-Za-z0-9%?&=;/._~-]{0,30}", fullmatch=True)


@given(
    st.sampled_from([b"GET", b"POST", b"PURGE"]),
    TARGETS,
    LINES,
    st.sampled_from([NO_BODY, Length(7), CHUNKED]),
)
def test_our_requests_read_as_what_they_were_built_from(
    method: bytes, target: bytes, lines, framing: Framing
):
    made = request_head(method, target, b"h.test", Fields(lines), framing)
    parsed = parse_request_head(made, DEFAULT_LIMITS)
    assert (parsed.head.method, parsed.head.target, parsed.framing) == (method, target, framing)
    assert parsed.head.authority == Authority(b"http", b"h.test", 80)
    assert list(parsed.head.fields) == lines


@given(st.integers(200, 999).filter(lambda status: status not in (204, 304)), LINES)
def test_our_responses_read_as_what_they_were_built_from(status: int, lines):
    for line, framing in (
        (None, UNTIL_CLOSE),
        ((b"Content-Length", b"7"), Length(7)),
        ((b"Transfer-Encoding", b"chunked"), CHUNKED),
    ):
        parsed = parse_response_head(response_head(status, b"", lines, line), b"GET", DEFAULT_LIMITS)
        assert (parsed.head.status, parsed.framing) == (status, framing)
        assert [field for field in parsed.head.fields if field[0] != b"Content-Length"] == lines
