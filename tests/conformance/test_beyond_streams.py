"""What rows cannot tell: several clients at once, interim answers, what happens in the background, parts, loops."""

import asyncio
import re

import pytest

from tests.conformance.rows import BODY, cache_status
from tests.kit.answer import Answer
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

_STALE = {"Cache-Control": "max-age=60, stale-while-revalidate=300", "Age": "100", "ETag": '"a"'}
_FRESH = {"Cache-Control": "max-age=3600", "ETag": '"b"'}


async def _eventually(world: World, target: str, body: bytes) -> Answer:
    """Ask until the answer has that body: what goes on in the background is over then."""
    async with asyncio.timeout(10), await world.client() as client:
        while (answer := await client.get(target)).body != body:
            pass
    return answer


async def test_within_stale_while_revalidate_the_client_does_not_wait_and_the_origin_is_asked_once(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 5861 s3."""
    origin.on("/swr", [Canned(200, _STALE, b"old"), Canned(200, _FRESH, b"new")])
    assert (await world.get("/swr")).body == b"old"
    gate = origin.hold("/swr")
    for _ in range(5):
        answer = await world.get("/swr")
        assert (answer.status, answer.body) == (200, b"old")
        assert answer.age is not None
        assert answer.age >= 100
        ours = cache_status(answer)[-1][1]
        assert ours.get("hit") == "?1"
        assert ours.get("detail") == "stale-while-revalidate"
    await gate.wait_waiting(1)
    assert origin.seen("/swr")[1].header("If-None-Match") == b'"a"'
    gate.release()
    await _eventually(world, "/swr", b"new")
    assert len(origin.seen("/swr")) == 2


async def test_a_revalidation_in_the_background_that_gets_304_freshens(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 5861 s3, RFC 9111 s4.3.4."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if request.header("If-None-Match"):
            await connection.send_response(
                304, {"Cache-Control": "max-age=3600", "ETag": '"a"', "X-Now": "fresh"}
            )
        else:
            await connection.send_response(200, _STALE, BODY)

    origin.on("/swr-304", handler)
    await world.get("/swr-304")
    async with asyncio.timeout(10), await world.client() as client:
        while (answer := await client.get("/swr-304")).header("X-Now") is None:
            assert answer.body == BODY
    assert (answer.body, answer.header("ETag")) == (BODY, b'"a"')
    assert len(origin.seen("/swr-304")) == 2


async def test_a_revalidation_in_the_background_that_fails_leaves_the_stale_response(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/swr-503", [Canned(200, _STALE, b"old"), Canned(503)])
    await world.get("/swr-503")
    await world.get("/swr-503")
    await origin.wait_requests(2, "/swr-503")
    assert (await world.get("/swr-503")).body == b"old"


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_an_origin_that_breaks_off_is_replaced_by_the_stale_response(
    world: World, origin: ScriptedOrigin, how: str
) -> None:
    """RFC 5861 s4; twice, as the first may have been a kept connection that had died of itself."""
    path = f"/stale-{how}"

    async def broken(request: OriginRequest, connection: OriginConnection) -> None:
        if how == "reset":
            connection.reset()
        else:
            await connection.close()

    origin.on(path, Canned(200, {"Cache-Control": "max-age=60, stale-if-error=300", "Age": "100"}, BODY))
    await world.get(path)
    origin.on(path, broken)
    for _ in range(2):
        answer = await world.get(path)
        assert (answer.status, answer.body) == (200, BODY)
        assert cache_status(answer)[-1][1].get("detail") == "stale-if-error"


async def test_an_origin_that_breaks_off_where_stale_is_forbidden_gives_an_error_that_says_so(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9111 s5.2.2.2, RFC 9209 s2.3."""
    path = "/stale-forbidden"

    async def broken(request: OriginRequest, connection: OriginConnection) -> None:
        connection.reset()

    origin.on(path, Canned(200, {"Cache-Control": "max-age=60, must-revalidate", "Age": "100"}, BODY))
    await world.get(path)
    origin.on(path, broken)
    answer = await world.get(path)
    assert answer.status in (502, 504)
    assert answer.complete
    assert b"error=" in (answer.header("Proxy-Status") or b"")


@pytest.mark.parametrize("status", [102, 103])
async def test_an_interim_answer_passes_before_the_final_one_is_there(
    world: World, origin: ScriptedOrigin, status: int
) -> None:
    """RFC 9110 s15.2, RFC 8297."""
    path = f"/interim-{status}"

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(status, {"Link": "</style.css>; rel=preload"})
        await connection.send_head(status, {"X-Second": "1"})
        await connection.send_response(200, {"Cache-Control": "max-age=3600"}, BODY)

    origin.on(path, handler)
    answer = await world.get(path)
    assert [(i.status, dict(i.headers).get(b"Link")) for i in answer.interim] == [
        (status, b"</style.css>; rel=preload"),
        (status, None),
    ]
    assert (answer.status, answer.body) == (200, BODY)
    again = await world.get(path)
    assert (again.interim, again.body) == ([], BODY)
    assert len(origin.seen(path)) == 1


async def test_early_hints_do_not_wait_for_the_final_answer(world: World, origin: ScriptedOrigin) -> None:
    gate = origin.hold("/never-asked")

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(103, {"Link": "</a>"})
        await gate.passed()
        await connection.send_response(200, {}, BODY)

    origin.on("/hints", handler)
    async with await world.client() as client:
        await client.send_request("GET", "/hints")
        first = await client.read_raw()
        assert first.startswith(b"HTTP/1.1 103 ")
        gate.release()
        assert (await client.read_answer()).body == BODY


async def test_an_interim_answer_is_not_sent_to_a_client_of_http_1_0(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9110 s15.2: a server must not send one to an HTTP/1.0 client."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(103, {"Link": "</a>"})
        await connection.send_response(200, {}, BODY)

    origin.on("/hints-1.0", handler)
    async with await world.client() as client:
        await client.send(b"GET /hints-1.0 HTTP/1.0\r\nHost: a.example\r\n\r\n")
        answer = await client.read_answer()
    assert (answer.interim, answer.status, answer.body) == ([], 200, BODY)


async def test_any_number_of_simultaneous_misses_is_one_request(world: World, origin: ScriptedOrigin) -> None:
    """RFC 9211 s2.6 for the word."""
    clients = 30
    origin.on("/collapse", Canned(200, {"Cache-Control": "max-age=3600"}, BODY * 1000))
    gate = origin.hold("/collapse")
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(world.get("/collapse")) for _ in range(clients)]
        await world.wait_metric("perigee_fills_followed", clients - 1)
        gate.release()
    answers = [task.result() for task in waiting]
    assert {(a.status, a.body) for a in answers} == {(200, BODY * 1000)}
    assert len(origin.seen("/collapse")) == 1
    words = [cache_status(a)[-1][1] for a in answers]
    assert sum("collapsed" in w for w in words) == clients - 1
    assert {w.get("fwd") for w in words} == {"uri-miss"}


@pytest.mark.parametrize("directive", ["private", "no-store"])
async def test_what_may_not_be_shared_goes_to_the_leader_only(
    world: World, origin: ScriptedOrigin, directive: str
) -> None:
    """RFC 9111 s4: collapsed requests are answered with a response that may be reused, or not at all."""
    clients, path = 8, f"/collapse-{directive}"
    count = 0

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        nonlocal count
        count += 1
        await connection.send_response(200, {"Cache-Control": directive}, b"for one only: %d" % count)

    origin.on(path, handler)
    gate = origin.hold(path)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(world.get(path)) for _ in range(clients)]
        await world.wait_metric("perigee_fills_followed", clients - 1)
        gate.release()
    assert len({task.result().body for task in waiting}) == clients
    assert len(origin.seen(path)) == clients


async def test_several_ranges_come_as_parts_with_the_right_bytes(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9110 s14.6, s15.3.7.2."""
    fields = {"Cache-Control": "max-age=3600", "Content-Type": "text/plain", "ETag": '"a"'}
    origin.on("/parts", Canned(200, fields, BODY))
    await world.get("/parts")
    answer = await world.get("/parts", {"Range": "bytes=0-1, 4-5,-1"})
    assert answer.status == 206
    assert answer.header("Content-Range") is None
    assert answer.header("ETag") == b'"a"'
    boundary = re.fullmatch(
        rb'multipart/byteranges; ?boundary="?([^"]+)"?', answer.header("Content-Type") or b""
    )
    assert boundary is not None, answer.headers
    parts = answer.body.removeprefix(b"--" + boundary[1]).split(b"\r\n--" + boundary[1])
    assert parts.pop().startswith(b"--")
    assert [_part(part) for part in parts] == [
        (b"bytes 0-1/10", b"text/plain", b"01"),
        (b"bytes 4-5/10", b"text/plain", b"45"),
        (b"bytes 9-9/10", b"text/plain", b"9"),
    ]
    assert len(origin.seen("/parts")) == 1


def _part(part: bytes) -> tuple[bytes | None, bytes | None, bytes]:
    head, _, body = part.partition(b"\r\n\r\n")
    fields = {}
    for line in head.strip().split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    return fields.get(b"content-range"), fields.get(b"content-type"), body


async def test_the_edge_names_itself_to_the_origin_and_refuses_a_request_that_comes_back(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 8586 s2-3, RFC 9110 s7.6.3."""
    origin.on("/loop", Canned(200, {"Cache-Control": "no-store"}, BODY))
    await world.get("/loop")
    (first,) = origin.seen("/loop")
    ours = first.header("CDN-Loop")
    assert ours
    assert re.match(rb"1\.1 \S+", first.header("Via") or b"")
    await world.get("/loop", {"CDN-Loop": "other.example; a=1", "Via": "1.1 other"})
    second = origin.seen("/loop")[1]
    assert second.header("CDN-Loop") == b"other.example; a=1, " + ours
    assert (second.header("Via") or b"").startswith(b"1.1 other, 1.1 ")
    looped = await world.get("/loop", {"CDN-Loop": ours.decode() + ", other.example"})
    assert looped.status in (502, 508)
    assert len(origin.seen("/loop")) == 2


async def test_the_cache_status_of_caches_behind_us_comes_before_ours(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9211 s2: the cache closest to the origin first."""
    fields = {"Cache-Control": "max-age=3600", "Cache-Status": 'Behind; hit; detail="a;b"'}
    origin.on("/caches", Canned(200, fields, BODY))
    for parameter in ("fwd", "hit"):
        members = cache_status(await world.get("/caches"))
        assert members[0][0] == "Behind"
        assert len(members) == 2
        assert parameter in members[1][1]
        assert "hit" in members[0][1]


@pytest.mark.parametrize("pace", ["at once", "in pieces"])
async def test_trailers_of_a_chunked_answer_pass(world: World, origin: ScriptedOrigin, pace: str) -> None:
    """RFC 9110 s6.5: to a client that says it takes them; never fields that frame or route."""
    path = f"/trailers-{pace.replace(' ', '-')}"
    gate = origin.hold("/never-asked")
    trailers = [("X-Sum", "1"), ("Content-Length", "3"), ("Host", "evil.example")]

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {"Transfer-Encoding": "chunked", "Trailer": "X-Sum"})
        await connection.send_chunk(BODY)
        await gate.passed()
        await connection.send_last_chunk(trailers)

    origin.on(path, handler)
    if pace == "at once":
        origin.on(path, Canned(200, {"Trailer": "X-Sum"}, BODY, chunked=True, trailers=trailers))
    async with await world.client() as client:
        await client.send_request("GET", path, {"TE": "trailers", "Connection": "TE"})
        await client.read_head()
        gate.release()
        answer = await client.read_rest()
    assert (answer.body, answer.trailers, answer.complete) == (BODY, [(b"X-Sum", b"1")], True)
