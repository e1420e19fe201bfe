"""A worker tells its supervisor what it is asked, on a socket that nobody else can open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, UnixConnector
from yarl import URL

from edge.errors import ClientFault, StoreFault
from edge.measures import Measures
from edge.metrics import flat
from edge.semantics.message import RequestHead
from edge.semantics.purge_order import MAX_BYTES, BadMessage
from edge.server.worker_admin import MAX_SURVEY_SECONDS, ask, serve, worker_app
from edge.store.survey import Survey


class Telling:
    """A worker as far as it is asked."""

    def __init__(self) -> None:
        self.ready = True
        self.detail: dict[str, object] = {"disk": "open"}
        self.measures = Measures()

    def readiness(self) -> tuple[bool, dict[str, object]]:
        return self.ready, self.detail

    async def explain(self, request: RequestHead) -> dict[str, object]:
        if request.authority.host != b"a.example":
            raise ClientFault("no site has this host name", status=421)
        return {"target": request.target.decode(), "lines": len(request.fields.lines)}

    async def count(self, order: bytes, seconds: float) -> Survey:
        if order == b"bad":
            raise BadMessage("no order")
        if order == b"broken":
            raise StoreFault("the disk cannot be read")
        return Survey(len(order), int(seconds), 1, 2, complete=True)


@asynccontextmanager
async def told(worker: Telling, path: Path) -> AsyncIterator[ClientSession]:
    runner = await serve(
        worker_app(worker, worker.measures.registry.snapshot, worker.explain, worker.count), path
    )
    try:
        async with ClientSession(connector=UnixConnector(str(path))) as session:
            yield session
    finally:
        await runner.cleanup()


async def test_it_tells_its_numbers_and_whether_it_is_ready(tmp_path: Path):
    worker = Telling()
    worker.measures.connections.value = 3
    async with told(worker, tmp_path / "s") as session:
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
        async with session.get("http://worker/snapshot") as answer:
            assert flat(await answer.json(), "perigee_connections_total")[()] == 3
        worker.measures.requests.of("shop", "hit", "fresh", "2xx").value += 2
        worker.measures.requests.of("blog", "hit", "fresh", "4xx").value += 1
        async with session.get("http://worker/served") as answer:
            assert await answer.json() == {"requests": 3}
        worker.ready = False
        async with session.get("http://worker/readyz") as answer:
            assert await answer.json() == {"ready": False, "detail": {"disk": "open"}}


async def test_it_explains_and_says_what_is_wrong_with_the_question(tmp_path: Path):
    async with told(Telling(), tmp_path / "s") as session:
        url = URL("http://worker/explain").with_query(
            [("url", "http://a.example/x"), ("header", "A: b"), ("header", "C: d")]
        )
        async with session.get(url) as answer:
            assert await answer.json() == {"target": "/x", "lines": 2}
        for wrong, status in (("http://b.example/", 421), ("nothing", 400)):
            async with session.get(URL("http://worker/explain").with_query(url=wrong)) as answer:
                assert answer.status == 400
                assert (await answer.json())["status"] == status


async def test_a_socket_that_a_killed_process_left_is_no_hindrance(tmp_path: Path):
    (tmp_path / "s").touch()
    async with told(Telling(), tmp_path / "s") as session, session.get("http://worker/readyz") as answer:
        assert answer.status == 200


async def test_it_counts_what_an_order_would_name(tmp_path: Path):
    path = tmp_path / "s"
    async with told(Telling(), path):
        said = await ask(path, "/survey?seconds=3", seconds=5.0, body=b"an order")
        assert said == {"objects": 8, "bytes": 3, "hot_objects": 1, "examined": 2, "complete": True}
        longest = await ask(path, "/survey?seconds=1e9", seconds=5.0, body=b"x" * MAX_BYTES)
        assert longest is not None
        assert (longest["objects"], longest["bytes"]) == (MAX_BYTES, MAX_SURVEY_SECONDS)
        for target, body in (
            ("/survey?seconds=3", b"bad"),
            ("/survey", b"x"),
            ("/survey?seconds=3", b"broken"),
        ):
            wrong = await ask(path, target, seconds=5.0, body=body)
            assert wrong is not None
            assert "error" in wrong
        assert await ask(path, "/survey?seconds=3", seconds=5.0, body=b"x" * 2 * MAX_BYTES) is None


async def test_nobody_there_is_no_answer(tmp_path: Path):
    assert await ask(tmp_path / "s", "/readyz", seconds=1.0) is None
