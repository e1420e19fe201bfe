"""A worker tells its supervisor what it is asked, on a socket that nobody else can open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, UnixConnector
from yarl import URL

from edge.errors import ClientFault
from edge.measures import Measures
from edge.metrics import flat
from edge.semantics.message import RequestHead
from edge.server.worker_admin import serve, worker_app


class Telling:
    """A worker as far as it is asked."""

    def __init__(self) -> None:
        self.ready = True
        self.measures = Measures()

    def readiness(self) -> tuple[bool, dict[str, object]]:
        return self.ready, {"disk": "open"}

    async def explain(self, request: RequestHead) -> dict[str, object]:
        if request.authority.host != b"a.example":
            raise ClientFault("no site has this host name", status=421)
        return {"target": request.target.decode(), "lines": len(request.fields.lines)}


@asynccontextmanager
async def told(worker: Telling, path: Path) -> AsyncIterator[ClientSession]:
    runner = await serve(worker_app(worker, worker.measures.registry.snapshot, worker.explain), path)
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
