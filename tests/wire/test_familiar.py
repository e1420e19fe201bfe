"""A section that is known says what the one it was learned of says, but for what is handed out. edge/wire/familiar.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ClientFault
from edge.semantics.message import Fields
from edge.semantics.remembered import REMEMBERED_BYTES
from edge.wire.familiar import EXACT_BYTES, LOOSE, Familiar, Known
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.request import ParsedRequest, parse_request_head

BROWSER = b"Host: a.example\r\nAccept: */*\r\nReferer: http://a.example/\r\nCookie: a=1; b=2\r\nAccept-Encoding: gzip\r\n\r\n"


def read(section: bytes) -> ParsedRequest | None:
    try:
        return parse_request_head(b"GET / HTTP/1.1\r\n" + section, DEFAULT_LIMITS)
    except ClientFault:
        return None


def teach(book: Familiar[ParsedRequest], section: bytes) -> None:
    request = read(section)
    assert request is not None, section
    for _ in range(2):  # what has a line never seen before is learned the second time
        book.learn(section, lambda loose: request if loose <= request.head.fields.names() else None)


def knows(*sections: bytes) -> Familiar[ParsedRequest]:
    book: Familiar[ParsedRequest] = Familiar()
    for section in sections:
        teach(book, section)
    return book


@pytest.mark.parametrize(
    "section,referer,tags",
    [
        (BROWSER, b"http://a.example/", None),
        (BROWSER.replace(b"a=1; b=2", b"session=\xc3\xa4"), b"http://a.example/", None),
        (BROWSER.replace(b"http://a.example/", b"/x"), b"/x", None),
        (BROWSER.replace(b"Cookie", b"cookie"), b"http://a.example/", None),
        (BROWSER.replace(b"Referer", b"referer").replace(b"/\r", b"/y\r"), b"http://a.example/y", None),
    ],
)
def test_the_same_lines_are_known_whatever_the_loose_ones_say(
    section: bytes, referer: bytes, tags: bytes | None
):
    book = knows(BROWSER)
    for _ in range(2):
        found = book.find(section)
        assert found is not None
        assert (found.referer, found.if_none_match) == (referer, tags)


@pytest.mark.parametrize(
    "section",
    [
        BROWSER.replace(b"gzip", b"br"),  # another line
        BROWSER.replace(b"Accept: */*\r\n", b""),  # a line less
        BROWSER.replace(b"Cookie: a=1; b=2\r\n", b""),
        BROWSER.replace(b"Cookie: ", b"Cookie:"),  # loose lines in another form are lines like all others
        BROWSER.replace(b"Cookie: ", b"Cookie:  "),
        BROWSER.replace(b"b=2", b"b=2 "),
        BROWSER.replace(b"b=2", b"b=\x00"),
        BROWSER.replace(b"b=2", b"b=\n2"),
        BROWSER.replace(b"b=2", b"b=\r2"),
        BROWSER.replace(b"a=1; b=2", b""),
        BROWSER.replace(b"Cookie: ", b"Cookie : "),
        BROWSER.replace(b"Accept: */*", b"Accept: */* "),
        BROWSER + b"X: y\r\n\r\n",  # two heads
        BROWSER[:-2],  # not all of one
        b"\r\n" + BROWSER,
        b"",
    ],
)
def test_anything_else_is_not_known(section: bytes):
    assert knows(BROWSER).find(section) is None


def test_a_cookie_line_behind_the_end_of_a_head_is_none_of_it():
    book = knows(b"Host: a\r\nCookie: a=1\r\n\r\n")
    assert book.find(b"Host: a\r\nCookie: a=2\r\n\r\n") is not None
    assert book.find(b"Host: a\r\n\r\nCookie: a=2\r\n") is None


def test_a_condition_is_handed_out():
    book = knows(b'Host: a\r\nIf-None-Match: "1"\r\nIf-Modified-Since: x\r\n\r\n')
    found = book.find(b'Host: a\r\nIf-None-Match: W/"2", "3"\r\nIf-Modified-Since: y\r\n\r\n')
    assert found is not None
    assert found.if_none_match == b'W/"2", "3"'


@pytest.mark.parametrize(
    "lines",
    [
        (b"Cookie: a=1", b"Cookie: b=2"),
        (b"Cookie: a=1", b"cookie: b=2"),
        (b"Referer: x", b"Cookie: a=1", b"Referer:y"),
        (b'If-None-Match:"1"', b'If-None-Match: "2"'),
        (b'If-None-Match: "1" ',),
        (b"Cookie:a=1",),
    ],
)
def test_what_has_a_loose_line_twice_or_in_another_form_is_never_known(lines: tuple[bytes, ...]):
    section = b"".join(line + b"\r\n" for line in (b"Host: a", *lines)) + b"\r\n"
    assert read(section) is not None
    assert knows(section).find(section) is None


def test_the_first_sight_of_a_line_teaches_nothing_but_the_line():
    book, made = Familiar[int](), list[frozenset[bytes]]()

    def make(loose: frozenset[bytes]) -> int | None:
        made.append(loose)
        return 1

    book.learn(BROWSER, make)
    assert (made, book.find(BROWSER)) == ([], None)
    book.learn(BROWSER, make)
    assert made == [frozenset((b"cookie", b"referer"))]
    assert book.find(BROWSER) == Known(1, b"http://a.example/", None)


def test_who_declines_is_asked_again():
    book: Familiar[int] = Familiar()
    for _ in range(3):
        book.learn(BROWSER, lambda _loose: None)
    assert book.find(BROWSER) is None


def test_a_section_beyond_the_bound_is_not_remembered():
    most = b"Host: a\r\nX: %b\r\n\r\n" % (b"y" * (REMEMBERED_BYTES - 16))
    assert len(most) == REMEMBERED_BYTES
    assert knows(most).find(most) is not None
    more = most.replace(b"X: ", b"X: y")
    assert knows(more).find(more) is None


def test_sections_that_a_client_makes_long_take_no_more_than_their_bytes():
    book = knows(b"Host: a\r\nCookie: a=1\r\n\r\n")
    for number in range(2_000):
        assert book.find(b"Host: a\r\nCookie: %04000d\r\n\r\n" % number) is not None
    assert len(book) <= 2 * (EXACT_BYTES // 4_000 + 1)


def test_what_is_forgotten_has_to_be_learned_again():
    book = knows(BROWSER)
    assert book.find(BROWSER) is not None
    book.clear()
    assert book.find(BROWSER) is None


LINES = st.sampled_from(
    (
        b"Host: a.example",
        b"Host: b.example",
        b"host: a.example",
        b"Cookie: a=1",
        b"Cookie: b=2; c=3",
        b"cookie: a=1",
        b"COOKIE: x",
        b"Cookie:a=1",
        b"Cookie:  a=1",
        b"Cookie: a=1 ",
        b"Cookie: \x01",
        b"Cookie: ",
        b"Cookie: x\ny",
        b"Cookie: x\n",
        b"X-Cookie: Cookie: a=1",
        b"X: Cookie: a=1",
        b"Referer: /a",
        b"Referer: /b",
        b'If-None-Match: "1"',
        b'If-None-Match: "2"',
        b"If-Modified-Since: x",
        b"Accept: */*",
        b"Accept : */*",
        b" folded",
        b"no colon",
        b"Connection: close",
        b"Connection: cookie",
        b"Connection: Cookie, close",
        b"Content-Length: 0",
        b"Content-Length: 1",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"",
    )
)
SECTIONS = st.lists(LINES, max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines) + b"\r\n")
ENDED_BEFORE = st.lists(LINES, max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
"""Or not ended at all."""


def told(request: ParsedRequest) -> tuple[object, ...]:
    """What is the same for all of a kind."""
    head = request.head
    return (
        head.authority,
        Fields(line for line in head.fields if line[0].lower() not in LOOSE),
        [line[0].lower() for line in head.fields].count(b"cookie"),
        request.framing,
        request.keep_alive,
        request.expect_continue,
        request.upgrade,
        request.accepts_trailers,
    )


@settings(max_examples=500)
@given(learned=st.lists(SECTIONS, max_size=8), asked=st.lists(SECTIONS | ENDED_BEFORE, max_size=12))
def test_what_is_known_the_parser_takes_and_reads_the_same(learned: list[bytes], asked: list[bytes]):
    taken = [section for section in learned if read(section) is not None]
    book = knows(*taken)
    for section in (*asked, *taken, *asked):
        found = book.find(section)
        if found is None:
            continue
        request = read(section)
        assert request is not None, section
        assert told(request) == told(found.what), section
        fields = request.head.fields
        assert (found.referer, found.if_none_match) == (fields.get(b"referer"), fields.get(b"if-none-match"))
        assert all(fields.count(name) <= 1 for name in LOOSE)


def test_what_is_known_is_not_learned_again():
    book, request = knows(BROWSER), read(BROWSER)
    made: list[frozenset[bytes]] = []

    def make(loose: frozenset[bytes]) -> ParsedRequest | None:
        made.append(loose)
        return request

    book.learn(BROWSER, make)
    assert len(made) == 1, "nobody has asked for it yet"
    assert book.find(BROWSER) is not None
    book.learn(BROWSER, make)
    assert len(made) == 1
