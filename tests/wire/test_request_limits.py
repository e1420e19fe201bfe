"""The bounds of a request head, at the limit and one past it; and that no bytes at all break the parser."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ClientFault
from edge.wire.limits import DEFAULT_LIMITS, Limits, among_ours
from edge.wire.request import find_head_end, parse_host, parse_request_head
from tests.kit.request_heads import NeverEnds, read, read_bytewise

SMALL = Limits(request_line=40, request_head=120, request_fields=3)


@pytest.mark.parametrize("reader", [read, read_bytewise])
@pytest.mark.parametrize(
    "name,head,status",
    [
        ("line at the limit", b"GET /" + b"a" * 26 + b" HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("line beyond it", b"GET /" + b"a" * 27 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("line far beyond it", b"GET /" + b"a" * 500 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("line without end", b"GET /" + b"a" * 500, 414),
        ("head at the limit", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 88 + b"\r\n\r\n", None),
        ("head beyond it", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 89 + b"\r\n\r\n", 431),
        ("head without end", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 500, 431),
        ("name without end", b"GET / HTTP/1.1\r\n" + b"a" * 500, 431),
        ("fields at the limit", b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n", None),
        ("fields beyond it", b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nZ: 3\r\n\r\n", 431),
    ],
)
def test_each_bound_holds_at_the_limit_and_one_past_it(name: str, head: bytes, status: int | None, reader):
    if name == "head at the limit":
        assert len(head) == SMALL.request_head
    if status is None:
        assert reader(head, SMALL).head.method == b"GET"
        return
    with pytest.raises(ClientFault) as raised:
        reader(head, SMALL)
    assert raised.value.status == status


@pytest.mark.parametrize(
    "name,head,status",
    [
        ("target of 100 KB", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("field of 1 MB", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
        ("name of 100 KB", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * 100_000 + b": x\r\n\r\n", 431),
        ("10k fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 10_000 + b"\r\n", 431),
        ("101 fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 100 + b"\r\n", 431),
        ("100 fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 99 + b"\r\n", None),
    ],
)
def test_the_default_bounds(name: str, head: bytes, status: int | None):
    if status is None:
        assert len(read(head).head.fields) == 99
        return
    with pytest.raises(ClientFault) as raised:
        read(head)
    assert raised.value.status == status


def test_a_head_is_found_behind_the_one_before_it():
    first = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
    data = first + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /3"
    assert find_head_end(data, 0, DEFAULT_LIMITS) == len(first)
    assert find_head_end(data, len(first), DEFAULT_LIMITS) == 2 * len(first)
    assert find_head_end(bytearray(data), 2 * len(first), DEFAULT_LIMITS) == -1
    assert find_head_end(data, 2 * len(first), SMALL, 3) == -1
    assert find_head_end(b"", 0, DEFAULT_LIMITS) == -1


@pytest.mark.parametrize("cut", range(1, 20))
def test_what_was_seen_is_not_searched_again_and_nothing_is_missed_at_the_seam(cut: int):
    for data in (b"GET / HTTP/1.1\r\n\rX", b"GET / HTTP/1.1\n", b"GET /\rx", b"GET / HTTP/1.1\r\n\n"):
        if cut < len(data):
            try:
                find_head_end(data[:cut], 0, DEFAULT_LIMITS)
            except ClientFault:
                continue
            with pytest.raises(ClientFault):
                find_head_end(data, 0, DEFAULT_LIMITS, cut)
    whole = b"GET / HTTP/1.1\r\n\r\n"
    assert find_head_end(whole, 0, DEFAULT_LIMITS, min(cut, len(whole) - 1)) == len(whole)


PARTS = st.sampled_from(
    [b"GET", b"POST", b" ", b"/", b"*", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b"Host", b":", b": ", b"a.test", b"[::1]", b"http://",
     b"Content-Length", b"Transfer-Encoding", b"chunked", b"4", b"Connection", b"close", b"upgrade", b"Upgrade", b"websocket", b"Expect", b"TE",
     b"\0", b"\xff", b"\t", b",", b"@", b"#"]
)  # fmt: skip
HEADS = st.one_of(
    st.binary(max_size=200),
    st.lists(PARTS, max_size=30).map(b"".join),
    st.lists(PARTS, max_size=20).map(
        lambda parts: b"GET / HTTP/1.1\r\nHost: a.test\r\n" + b"".join(parts) + b"\r\n\r\n"
    ),
)


@given(HEADS, st.integers(0, 3))
def test_no_bytes_raise_anything_but_a_client_fault(head: bytes, start: int):
    for limits in (DEFAULT_LIMITS, SMALL):
        try:
            end = find_head_end(head, start, limits)
            if end > 0:
                parsed = parse_request_head(head[start:end], limits)
                assert parsed.head.authority.host
                assert parsed.head.target.startswith((b"/", b"*"))
        except ClientFault as fault:
            assert fault.status in {400, 405, 414, 417, 431, 505}  # noqa: PT017 - there may be no fault


@given(st.binary(max_size=80))
def test_no_complete_head_raises_anything_but_a_client_fault(middle: bytes):
    with contextlib.suppress(ClientFault):
        parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + middle + b"\r\n\r\n", DEFAULT_LIMITS)


@given(HEADS)
def test_bytewise_and_whole_come_to_the_same(head: bytes):
    def outcome(reader) -> object:
        try:
            return reader(head)
        except ClientFault as fault:
            return fault.status
        except NeverEnds:
            return None

    assert outcome(read) == outcome(read_bytewise)


@given(st.binary(max_size=40))
def test_no_host_raises_anything_but_a_client_fault(value: bytes):
    try:
        authority = parse_host(value, b"http")
    except ClientFault:
        return
    assert parse_host(authority.render(), b"http") == authority


def test_among_nodes_of_ours_a_reader_may_take_what_he_gets_in_bursts():
    """Its client takes 500 bytes a second, and between them are buffers; only what hangs is cut, and in minutes."""
    ours = among_ours(DEFAULT_LIMITS)
    assert ours.reader_stall * DEFAULT_LIMITS.reader_min_rate >= DEFAULT_LIMITS.write_buffer
    assert ours.reader_stall <= 600
    assert ours.reader_min_rate == 0
