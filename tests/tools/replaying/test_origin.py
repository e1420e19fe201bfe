"""The origin of a replay has what the log says, counts it, and knows its own responses again."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientError, ClientSession

from tools.replaying.access_lines import Line
from tools.replaying.origin import COUNT, PIECE_BYTES, UNKNOWN_BYTES, SizedOrigin, Thing, pieces, things_of


def line(target: str, status: int, size: int, method: str = "GET") -> Line:
    return Line("192.0.2.1", 0, method, target, status, size)


@pytest.mark.parametrize(
    ("said", "thing"),
    [
        ([(200, 7)], Thing(200, 7)),
        ([(200, 7), (200, 9), (200, 8), (304, 0)], Thing(200, 9)),
        ([(304, 0)], Thing(200, UNKNOWN_BYTES)),
        ([(304, 0), (200, 7)], Thing(200, 7)),
        ([(304, 0), (404, 5), (304, 0)], Thing(404, 5)),
        ([(404, 5)], Thing(404, 5)),
        ([(404, 5), (200, 7)], Thing(200, 7)),
        ([(200, 7), (404, 5)], Thing(200, 7)),
        ([(301, 3)], Thing(301, 3)),
        ([(500, 3)], Thing(200, UNKNOWN_BYTES)),
        ([(206, 3)], Thing(200, 3)),
    ],
)
def test_a_path_is_what_the_log_says_of_it_at_best(said: list[tuple[int, int]], thing: Thing):
    assert things_of(line("/a", status, size) for status, size in said) == {"/a": thing}


def test_what_was_not_asked_for_by_get_says_nothing():
    assert things_of([line("/a", 200, 0, "HEAD"), line("/a", 200, 0, "POST")]) == {}


@pytest.mark.parametrize("size", [0, 3, 64, 65, PIECE_BYTES + 65])
def test_a_body_has_its_size_and_is_its_paths_own(size: int):
    body = b"".join(pieces("/a", size))
    assert len(body) == size
    assert body == b"".join(pieces("/a", size))
    assert size < 2 or body != b"".join(pieces("/b", size))


async def test_it_answers_and_counts():
    things = {"/a": Thing(200, 100_000), "/gone": Thing(404, 3), "/moved": Thing(301, 0)}
    origin = SizedOrigin(things, "max-age=60")
    async with origin.serving("127.0.0.1", 0) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/a") as answer:
            tag = answer.headers["ETag"]
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "max-age=60")
            assert await answer.read() == b"".join(pieces("/a", 100_000))
        async with session.get("/a", headers={"If-None-Match": f'"x", {tag}'}) as answer:
            assert answer.status == 304
        async with session.head("/a") as answer:
            assert answer.headers["Content-Length"] == "100000"
        async with session.get("/moved", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, "/")
        for target in ("/gone", "/never"):
            async with session.get(target) as answer:
                assert answer.status == 404
        async with session.get(COUNT) as answer:
            said = await answer.json(content_type=None)
    assert said == {"requests": 6, "not_modified": 1, "bytes": 100_003, "targets": 4}


async def test_one_that_is_closed_answers_nobody():
    origin = SizedOrigin({"/a": Thing(200, 1)}, "")
    async with origin.serving("127.0.0.1", 0) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
        origin.is_closed = True
        with pytest.raises(ClientError):
            await session.get("/a")
    assert origin.counted.requests == 0


async def test_who_speaks_no_http_is_left(unused_tcp_port: int):
    origin = SizedOrigin({}, "")
    async with origin.serving("127.0.0.1", unused_tcp_port) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 200_000)
        async with asyncio.timeout(5):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()
    assert origin.counted.requests == 0
