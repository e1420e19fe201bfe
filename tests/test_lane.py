"""What the lane takes and what it leaves to the long way; tests/models/test_lane.py compares the two byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.exchange import ClientTls
from edge.lane import LINE_BYTES
from edge.semantics.message import Line
from edge.semantics.rules import CookieRule, KeyRules, SiteRules, StoreRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, HttpsRedirect, TlsRules
from edge.settings.sites import SiteTable
from tests.kit.lane_world import PEER, OneSide, one_side
from tests.kit.scripted_upstream import Said, fresh

ASK = b"GET /a HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n%b\r\n"
VARIES = (b"Vary", b"Accept-Encoding")


def asking(*lines: bytes, first: bytes = b"GET /a") -> bytes:
    return ASK.replace(b"GET /a", first) % b"".join(line + b"\r\n" for line in lines)


async def taken(side: OneSide, head: bytes, times: int = 5) -> int:
    """How many of so many equal requests the lane answers."""
    before = side.lane_answers
    for _ in range(times):
        await side.hears(head)
    return side.lane_answers - before


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"Cookie: a=1",),
        (b"Referer: /x", b"Cookie: a=1"),
        (b"X-Whatever: 1",),
        (b'If-None-Match: "other"',),
        (b'If-None-Match: "v1"', b"If-Modified-Since: Tue, 24 Nov 2026 00:00:00 GMT"),
        (b"Cache-Control: x",),
        (b"Content-Length: 0",),
    ],
)
async def test_a_plain_hit_is_taken_once_its_lines_are_known(tmp_path: Path, lines: Sequence[bytes]):
    async with one_side(tmp_path, [SiteRules()]) as side:
        side.bench.origin.says(fresh(b"body", (b"ETag", b'"v1"'), VARIES))
        assert await taken(side, asking(*lines)) == 2, "stored, then two to learn from"
        assert await taken(side, asking(*lines, first=b"GET /a?new")) == 3, "only the answer was not ready"


@pytest.mark.parametrize(
    "lines",
    [
        (b"Range: bytes=0-1",),
        (b"If-Range: x",),
        (b'If-Match: "v1"',),
        (b"If-Unmodified-Since: Tue, 24 Nov 2026 00:00:00 GMT",),
        (b"If-Modified-Since: Tue, 24 Nov 2026 00:00:00 GMT",),
        (b"Cache-Control: max-age=9",),
        (b"Pragma: no-cache",),
        (b"CDN-Loop: another",),
        (b"Connection: close",),
        (b"Connection: cookie", b"Cookie: a=1"),
        (b"Upgrade: websocket", b"Connection: upgrade"),
        (b'If-None-Match:"v1"',),
    ],
)
async def test_what_is_not_plain_is_left_alone(tmp_path: Path, lines: Sequence[bytes]):
    async with one_side(tmp_path, [SiteRules()]) as side:
        side.bench.origin.says(fresh(b"body", (b"ETag", b'"v1"')))
        await taken(side, asking())
        for _ in range(4):
            side.connect()
            assert await taken(side, asking(*lines), 1) == 0


async def test_cookies_that_differ_make_no_difference_unless_they_count(tmp_path: Path):
    for name, rules, at_all in (
        ("plain", SiteRules(), True),
        ("key", SiteRules(key=KeyRules(cookies=(b"a",))), False),
        ("bypass", SiteRules(store=StoreRules(cookie=CookieRule.BYPASS)), False),
        ("strip", SiteRules(store=StoreRules(cookie=CookieRule.STRIP)), True),
    ):
        async with one_side(tmp_path / name, [rules]) as side:
            side.bench.origin.says(fresh(b"body"))
            for number in range(4):
                await side.hears(asking(b"Cookie: a=%d" % number))
            before = side.lane_answers
            await side.hears(asking(b"Cookie: a=77"))
            assert (side.lane_answers > before) is at_all, name


async def test_variants_are_told_apart(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        gzip, plain = asking(), asking().replace(b"gzip", b"identity")
        side.bench.origin.says(fresh(b"zipped", VARIES))
        await taken(side, gzip)
        side.bench.origin.says(fresh(b"plain", VARIES))
        await taken(side, plain)
        assert (await side.hears(gzip)).endswith(b"zipped")
        assert (await side.hears(plain)).endswith(b"plain")
        assert await taken(side, gzip) == await taken(side, plain) == 5


async def test_what_a_believed_proxy_says_of_the_scheme_is_part_of_what_is_known(tmp_path: Path):
    trusted = (ip_network(PEER),)
    async with one_side(tmp_path, [SiteRules()], trusted=trusted) as side:
        side.bench.origin.says(Said(301, (DATE, FOR_A_MINUTE, (b"Location", b"https://a.example/a"))))
        await taken(side, asking(b"X-Forwarded-Proto: http"))
        side.bench.origin.says(fresh(b"secure"))
        secure = asking(b"X-Forwarded-Proto: https")
        await taken(side, secure)
        assert (await side.hears(secure)).endswith(b"secure")
        assert (await side.hears(asking(b"X-Forwarded-Proto: http"))).startswith(b"HTTP/1.1 301")
        assert side.lane_answers > 4


async def test_the_second_name_of_a_site_has_keys_of_its_own(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        there = asking().replace(b"a.example", b"b.example")
        side.bench.origin.says(fresh(b"a"))
        await taken(side, asking())
        side.bench.origin.says(fresh(b"b"))
        await taken(side, there)
        assert (await side.hears(asking())).endswith(b"a")
        assert (await side.hears(there)).endswith(b"b")


async def test_a_silent_log_sends_all_the_long_way(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        side.bench.origin.says(fresh(b"body"))
        assert await taken(side, asking()) == 2
        side.bench.fence.reader = reader = Reader(side.bench.clock.mono())
        assert await taken(side, asking()) == 5
        reader.suspended = True
        assert await taken(side, asking()) == 0
        reader.suspended = False
        assert await taken(side, asking()) > 0
        reader.proven_at -= 3600.0
        assert await taken(side, asking()) == 0


class Reader:
    """A reader of a log that is told what it knows."""

    def __init__(self, proven_at: float) -> None:
        self.proven_at = proven_at
        self.suspended = False

    def token(self, position: int) -> bytes:
        return b"%d" % position

    def position(self, token: bytes) -> int | None:
        return int(token)

    async def reach(self, position: int, seconds: float) -> bool:
        return True


DATE: Line = (b"Date", b"Tue, 24 Nov 2026 00:00:00 GMT")
FOR_A_MINUTE: Line = (b"Cache-Control", b"max-age=60")


@pytest.mark.parametrize(
    "rules,scheme,takes",
    [
        (TlsRules(redirect=HttpsRedirect.PERMANENT), b"https", True),
        (TlsRules(redirect=HttpsRedirect.PERMANENT), b"http", False),
        (TlsRules(hsts=60.0), b"https", True),
        (TlsRules(client=ClientPolicy(ClientAuth.OPTIONAL, "ca.pem")), b"https", False),
        (TlsRules(client=ClientPolicy(ClientAuth.REQUIRED, "ca.pem")), b"https", False),
        (TlsRules(tell=True), b"https", False),
    ],
)
async def test_whom_a_site_sends_to_https_or_asks_for_a_certificate_goes_the_long_way(
    tmp_path: Path, rules: TlsRules, scheme: bytes, takes: bool
):
    async with one_side(tmp_path, [SiteRules()], scheme=scheme) as side:
        side.bench.origin.says(fresh(b"body"))
        assert await taken(side, asking()) == 2, "it is stored"
        side.bench.node.apply(SiteTable([SiteRules(tls=rules)]), (), 16)
        for _ in range(3):
            side.connect()
            await side.hears(asking())
        assert (side.lane_answers > 2) is takes
        answer = await side.hears(asking())
        assert (b"Strict-Transport-Security: max-age=60\r\n" in answer) is (rules.hsts is not None)


async def test_a_connection_whose_client_was_asked_for_a_certificate_has_no_lane(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()], scheme=b"https") as side:
        side.bench.origin.says(fresh(b"body"))
        assert await taken(side, asking()) == 2
        side.tls = ClientTls(ClientPolicy(ClientAuth.REQUIRED, "ca.pem"))
        side.connect()
        assert (await side.hears(asking())).startswith(b"HTTP/1.1 421")
        assert side.lane_answers == 2


async def test_request_lines_that_a_client_makes_long_take_no_more_than_their_bytes(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        side.bench.origin.says(fresh(b"body"))
        assert await taken(side, asking()) > 0
        lane = side.bench.node.lane
        for number in range(1_500):
            assert lane.find(asking(first=b"GET /%08000d" % number), 0, 0.0) is None
        assert 0 < lane.lines <= 2 * (LINE_BYTES // 8_000 + 1)
