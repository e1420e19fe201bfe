"""What may not be shared is not, and what comes back is what was asked for.

RFC 9111 s3, s4.2.2, s5.2, s7.3; RFC 9110 s14.2, s15.1, s15.4.5, s17.15.
"""

import pytest

from tests.kit.origin import Canned, OriginConnection, OriginRequest
from tests.kit.yard import Yard, get

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRESH = {"Cache-Control": "max-age=60"}

NOT_SHARED = {
    "private": {"Cache-Control": "private, max-age=60"},
    "no-store": {"Cache-Control": "no-store"},
    "no-store beside max-age": {"Cache-Control": "max-age=60, no-store"},
    "no-store on a second line": [("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")],
    "letter case": {"cache-control": "Max-Age=60, PRIVATE"},
    "Set-Cookie": FRESH | {"Set-Cookie": "id=1"},
    "s-maxage of nothing": {"Cache-Control": "max-age=60, s-maxage=0"},
    "no-cache": {"Cache-Control": "no-cache"},
    "no-cache beside max-age": {"Cache-Control": "max-age=60, no-cache"},
    "max-age of nothing": {"Cache-Control": "max-age=0"},
    "two max-age": {"Cache-Control": "max-age=0, max-age=60"},
    "max-age negative": {"Cache-Control": "max-age=-1"},
    "max-age fraction": {"Cache-Control": "max-age=0.5"},
    "Expires 0": {"Expires": "0"},
    "Expires in the past": {"Expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
    "Age beyond max-age": FRESH | {"Age": "61"},
    "Pragma": {"Pragma": "no-cache"},
    "Vary *": FRESH | {"Vary": "*"},
    "Vary * among others": FRESH | {"Vary": "Accept, *"},
    "nothing said": {},
}


@pytest.mark.parametrize("headers", NOT_SHARED.values(), ids=NOT_SHARED)
async def test_what_may_not_be_reused_is_asked_for_anew(yard: Yard, headers: dict[str, str]) -> None:
    target = yard.target()
    yard.origin.on(target, [Canned(200, headers, b"first"), Canned(200, headers, b"second")])
    assert (await yard.edge.get(target)).body == b"first"
    assert (await yard.edge.get(target)).body == b"second"


async def test_a_response_to_authorization_is_for_who_sent_it(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, _echo_authorization)
    for who in ("Basic YTph", "Basic Yjpi", None, "Basic YTph"):
        answer = await yard.edge.get(target, {} if who is None else {"Authorization": who})
        assert answer.body in {(who or "nobody").encode(), b"nobody"}
    assert (await yard.edge.get(target)).body == b"nobody"


async def _echo_authorization(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_response(200, FRESH, request.header("Authorization") or b"nobody")


@pytest.mark.parametrize("directive", ["public", "s-maxage=60", "must-revalidate"])
async def test_a_response_to_authorization_is_shared_where_the_origin_says_so(
    yard: Yard, directive: str
) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": f"max-age=60, {directive}"}, b"for all"))
    assert (await yard.edge.get(target, {"Authorization": "Basic YTph"})).body == b"for all"
    assert (await yard.edge.get(target)).body == b"for all"
    assert len(yard.origin.seen(target)) == 1


async def test_a_cookie_of_one_client_is_not_set_for_another(yard: Yard) -> None:
    target = yard.target()
    cookies = [Canned(200, FRESH | {"Set-Cookie": f"id={n}"}, b"page") for n in range(2)]
    yard.origin.on(target, cookies)
    assert [(await yard.edge.get(target)).header("Set-Cookie") for _ in range(2)] == [b"id=0", b"id=1"]


DECEPTIVE = [
    "/x.css",
    "/x.js",
    "/x.png",
    ";x.css",
    "%3Bx.css",
    "%0Ax.css",
    "%00x.css",
    "%23x.css",
    "%3Fx.css",
    "%2Fx.css",
    "/..%2Fx.css",
]


@pytest.mark.parametrize("suffix", DECEPTIVE)
async def test_a_personal_page_under_a_static_name_is_not_stored(yard: Yard, suffix: str) -> None:
    target = yard.target() + "/account" + suffix
    said = {"Content-Type": "text/html", "Last-Modified": "Thu, 01 Jan 2015 00:00:00 GMT"}
    yard.origin.on(target, [Canned(200, said, b"mine"), Canned(200, said, b"yours")])
    assert (await yard.edge.get(target, {"Cookie": "id=1"})).body == b"mine"
    assert (await yard.edge.get(target)).body == b"yours"


ERRORS = [400, 403, 405, 411, 413, 429, 431, 500, 502, 503, 504]


@pytest.mark.parametrize("status", ERRORS)
async def test_an_error_without_freshness_is_not_stored(yard: Yard, status: int) -> None:
    target = yard.target()
    yard.origin.on(target, [Canned(status, {}, b"error"), Canned(200, {}, b"fine")])
    assert (await yard.edge.get(target)).status == status
    assert (await yard.edge.get(target)).status == 200


async def test_a_request_made_to_fail_does_not_fail_others(yard: Yard) -> None:
    """CPDoS: what the edge takes and the origin refuses must not be stored as the page."""
    for line in (
        b"X-Oversized: " + b"x" * 20_000,
        b"X-Meta: a\x80b",
        b"X-HTTP-Method-Override: POST",
        b"Range: x",
    ):
        target = yard.target()
        yard.origin.on(target, _fails_for_oddities)
        async with await yard.edge.client() as client:
            await client.send(get(target, line))
            await client.read_answer()
        assert (await yard.edge.get(target, {"Host": "a.test"})).status == 200


async def _fails_for_oddities(request: OriginRequest, connection: OriginConnection) -> None:
    names = ("X-Oversized", "X-Meta", "X-HTTP-Method-Override", "Range")
    odd = any(request.header(name) is not None for name in names)
    await connection.send_response(400 if odd else 200, {}, b"")


async def test_a_part_that_nobody_asked_for_is_not_stored(yard: Yard) -> None:
    target = yard.target()
    part = Canned(206, FRESH | {"Content-Range": "bytes 0-3/9"}, b"part")
    yard.origin.on(target, [part, part, Canned(200, FRESH, b"the whole")])
    for _ in range(2):
        assert (await yard.edge.get(target)).status in {206, 502}
    assert (await yard.edge.get(target)).body == b"the whole"


async def test_a_304_that_nobody_asked_for_is_no_answer(yard: Yard) -> None:
    target = yard.target()
    unasked = Canned(304, FRESH | {"ETag": '"a"'})
    yard.origin.on(target, [unasked, unasked, unasked, Canned(200, FRESH, b"fine")])
    statuses = []
    while 200 not in statuses:
        statuses.append((await yard.edge.get(target)).status)
    assert set(statuses) <= {200, 502}
    assert (await yard.edge.get(target)).body == b"fine"
    assert len(yard.origin.seen(target)) == 4


BIG = bytes(range(256)) * 40
RANGES = {
    "1000 overlapping": "bytes=" + ",".join(f"0-{n}" for n in range(1000)),
    "300 tiny": "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(300)),
    "9 apart": "bytes=" + ",".join(f"{10 * n}-{10 * n}" for n in range(9)),
    "2 overlapping": "bytes=0-10,5-20",
    "1300 suffixes": "bytes=" + ",".join("-1" for _ in range(1300)),
    "another unit": "lines=1-2",
    "no unit": "1-2",
    "no numbers": "bytes=a-b",
    "nothing": "bytes=",
    "nothing but a hyphen": "bytes=-",
    "last before first": "bytes=5-2",
    "negative": "bytes=-1-2",
    "spaces": "bytes= 1 - 2",
    "huge": "bytes=99999999999999999999999999-",
    "huge last": "bytes=0-99999999999999999999999999",
    "beyond": f"bytes={len(BIG)}-",
    "suffix of nothing": "bytes=-0",
    "two units": "bytes=0-1, lines=2-3",
    "semicolon": "bytes=0-1;2-3",
}


@pytest.mark.parametrize("wanted", RANGES.values(), ids=RANGES)
async def test_odd_ranges_cost_no_more_than_the_whole(yard: Yard, wanted: str) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, FRESH, BIG))
    for _ in range(2):
        async with await yard.edge.client() as client:
            answer = await client.get(target, {"Range": wanted})
            assert answer.complete
            if answer.status == 206:
                assert answer.body in BIG
                assert wanted == RANGES["huge last"] or len(answer.body) < len(BIG)
            else:
                assert answer.status == 416 or (answer.status, answer.body) == (200, BIG)
            assert (await client.get(target)).body == BIG
    assert len({request.header("Range") for request in yard.origin.seen(target)}) == 1


@pytest.mark.parametrize("value", ["1" + "0" * 26, "2147483648", "9" * 400, '"60"'])
async def test_a_huge_lifetime_is_a_long_one(yard: Yard, value: str) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": f"max-age={value}"}, b"long"))
    for _ in range(2):
        answer = await yard.edge.get(target)
        assert answer.body == b"long"
        status = answer.header("Cache-Status") or b""
        ttl = int(status.partition(b";ttl=")[2].partition(b";")[0])
        assert 0 < ttl <= 2**31
    assert len(yard.origin.seen(target)) == 1


@pytest.mark.parametrize("age", ["-1", "-100", "1" + "0" * 26, "x", "1, 2", ""])
async def test_an_age_that_is_none_never_makes_a_response_younger(yard: Yard, age: str) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60", "Age": age}, b"aged"))
    for _ in range(2):
        answer = await yard.edge.get(target)
        assert answer.body == b"aged"
        assert answer.age is None or 0 <= answer.age <= 2**31


async def test_what_is_compressed_passes_as_it_is(yard: Yard) -> None:
    """No body is ever unpacked here, so a bomb is a small file."""
    target = yard.target()
    bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xec\xc1\x01\x01\0\0" * 1000
    yard.origin.on(target, Canned(200, FRESH | {"Content-Encoding": "gzip"}, bomb))
    for headers in ({"Accept-Encoding": "gzip"}, {}):
        answer = await yard.edge.get(target, headers)
        assert (answer.body, answer.header("Content-Encoding")) == (bomb, b"gzip")
