"""Files into sockets: exactly the range, slow readers bounded, damage and truncation as cuts, descriptors given back."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY
from edge.server.outlet import Outlet, outlet_of
from edge.store.bodies import DiskBody
from edge.store.disk import NO_VARY, DiskTier
from edge.store.pace import Pace
from edge.store.record import BLOCK_BYTES, FILE_HEADER_BYTES
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.client import Ending
from tests.kit.disk import SMALL, body_files, body_of, flip, opened, opened_body, primary
from tests.kit.listening import Listening, listening
from tests.kit.process import descriptors

T = TypeVar("T")
LENGTH = 80 * BLOCK_BYTES + 77
"""20 MB, more than the sockets of both ends hold."""
DATA = body_of(1, 1, LENGTH)
GET = b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
LIMITS = DEFAULT_LIMITS


class Filing:
    """Answers with spans of one body on a disk tier, read by one thread, which `held` holds up."""

    def __init__(self, tier: DiskTier, path: Path, thread: ThreadPoolExecutor) -> None:
        self.path = path
        self.held: threading.Event | None = None
        self.calls = 0
        self.pace = Pace()
        self.span = (0, LENGTH)
        self._tier = tier
        self._thread = thread

    async def run(self, blocking: Callable[[], T]) -> T:
        self.calls += 1
        held = self.held

        def run() -> T:
            if held is not None:
                held.wait(30)
            return blocking()

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def __call__(self, exchange: Exchange) -> Reply:
        body = DiskBody(opened_body(self._tier.read(primary(1))), LENGTH, self.run, self.pace)
        start, stop = self.span
        return Reply(200, b"", EMPTY, body.stream(start, stop), stop - start)

    def descriptors(self) -> int:
        """Of the body's file and of sockets, those of the test's ends, too."""
        return sum(link.startswith(("socket:", str(self.path.parent))) for link in descriptors())


@asynccontextmanager
async def filing(tmp_path: Path) -> AsyncIterator[tuple[Filing, Listening]]:
    with (
        opened(tmp_path, limits=replace(SMALL, idle_files=0)) as tier,
        ThreadPoolExecutor(1) as thread,
    ):
        tier.put_small(primary(1), NO_VARY, b"meta", DATA)
        (path,) = body_files(tmp_path)
        answer = Filing(tier, path, thread)
        async with listening({b"/a": answer}) as edge:
            yield answer, edge


async def full_socket(edge: Listening) -> None:
    """Until a client takes no more."""
    await edge.until(lambda: any(c.sending._is_full for c in edge.connections), "a full socket")


@pytest.mark.parametrize(
    "start,stop", [(0, LENGTH), (17, LENGTH - 17), (BLOCK_BYTES - 1, BLOCK_BYTES + 1), (5, 5)]
)
async def test_a_span_goes_out_and_the_connection_goes_on(tmp_path: Path, start: int, stop: int) -> None:
    async with filing(tmp_path) as (answer, edge), await edge.client() as client:
        answer.span = (start, stop)
        for _ in range(2):
            got = await client.get("/a")
            assert (got.complete, got.body) == (True, DATA[start:stop])
        await edge.until(lambda: len(edge.recorded) == 2, "the records")
        assert [(one.sent, one.whole) for one in edge.recorded] == [(stop - start, True)] * 2


async def test_what_was_verified_is_sent_without_a_thread(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge), await edge.client() as client:
        assert (await client.get("/a")).body == DATA
        assert answer.calls > 0
        answer.calls = 0
        # The file stays open, and what is known of it, as long as anybody has it.
        keep = opened_body(answer._tier.read(primary(1)))
        keep.pread(0, LENGTH)
        assert (await client.get("/a")).body == DATA
        assert answer.calls == 0
        keep.close()


async def test_while_the_disk_is_slow_threads_send(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge), await edge.client() as client:
        keep = opened_body(answer._tier.read(primary(1)))
        keep.pread(0, LENGTH)
        answer.pace.end(-1000.0)
        assert answer.pace.begin() is None
        assert (await client.get("/a")).body == DATA
        assert answer.calls > 0
        keep.close()


async def test_a_reader_that_takes_nothing_is_cut_and_costs_no_descriptor(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge):
        before = answer.descriptors()
        async with await edge.client() as client:
            client.pause_reading()
            await client.send(GET)
            await full_socket(edge)
            (connection,) = edge.connections
            assert connection.transport.get_write_buffer_size() == 0
            edge.pass_time(1)
            edge.pass_time(LIMITS.reader_stall)
            assert edge.counted("perigee_bound_reached_total") == {}
            edge.pass_time(1)
            assert edge.counted("perigee_bound_reached_total") == {"reader_stall": 1}
            await edge.until(lambda: bool(edge.recorded), "the record")
            assert [(one.status, one.whole) for one in edge.recorded] == [(200, False)]
            assert 0 < edge.recorded[0].sent < LENGTH
            assert edge.counted("perigee_requests_aborted_total") == {"us": 1}
            client.resume_reading()
            ending, _ = await client.wait_ended()
            assert ending is Ending.RESET
        await edge.until(lambda: answer.descriptors() == before, "descriptors")


async def test_a_slow_reader_who_reads_is_progress(tmp_path: Path) -> None:
    async with filing(tmp_path) as (_, edge), await edge.client() as client:
        client.pause_reading()
        await client.send(GET)
        for _ in range(3):
            await full_socket(edge)
            edge.pass_time(1)
            edge.pass_time(LIMITS.reader_stall - 1)
            written = edge.connections[0].sending.written
            client.resume_reading()
            await edge.until(lambda: edge.connections[0].sending.written > written, "progress")  # noqa: B023
            client.pause_reading()
        client.resume_reading()
        assert (await client.read_answer()).body == DATA
        assert edge.counted("perigee_bound_reached_total") == {}


async def test_a_client_that_leaves_gives_everything_back(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge):
        before = answer.descriptors()
        for leave in ("abort", "close"):
            client = await edge.client()
            client.pause_reading()
            await client.send(GET)
            await full_socket(edge)
            client.abort() if leave == "abort" else await client.close()
            await edge.until(lambda: not edge.connections, "the end")
            await edge.until(lambda: answer.descriptors() == before, "descriptors")
        assert [one.whole for one in edge.recorded] == [False, False]
        assert edge.counted("perigee_requests_aborted_total") == {"client": 2}


async def test_a_client_that_leaves_while_a_thread_sends_keeps_the_descriptor_until_it_is_done(
    tmp_path: Path,
) -> None:
    async with filing(tmp_path) as (answer, edge):
        before = answer.descriptors()
        answer.held = threading.Event()
        client = await edge.client()
        await client.send(GET)
        await edge.until(lambda: answer.calls > 0, "the thread")
        client.abort()
        await edge.until(lambda: not edge.connections, "the end")
        answer.held.set()
        await edge.until(lambda: answer.descriptors() == before, "descriptors")


async def test_damage_in_mid_body_is_a_cut(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge), await edge.client() as client:
        flip(answer.path, FILE_HEADER_BYTES + 40 * BLOCK_BYTES + 5)
        await client.send(GET)
        head = await client.read_head()
        assert head.status == 200
        got = await client.read_rest()
        assert not got.complete
        assert got.body == DATA[: len(got.body)]
        assert len(got.body) <= 40 * BLOCK_BYTES
        await edge.until(lambda: bool(edge.recorded), "the record")
        assert [(one.sent, one.whole) for one in edge.recorded] == [(40 * BLOCK_BYTES, False)]
        assert edge.counted("perigee_requests_aborted_total") == {"upstream": 1}


@pytest.mark.parametrize("change", ["damaged", "cut"])
async def test_a_file_that_changes_while_it_is_sent_is_a_cut(tmp_path: Path, change: str) -> None:
    async with filing(tmp_path) as (answer, edge), await edge.client() as client:
        keep = opened_body(answer._tier.read(primary(1)))
        keep.pread(0, LENGTH)
        client.pause_reading()
        await client.send(GET)
        await full_socket(edge)
        if change == "cut":
            os.truncate(answer.path, FILE_HEADER_BYTES + LENGTH - 100)
        else:
            flip(answer.path, FILE_HEADER_BYTES + 79 * BLOCK_BYTES)
            os.utime(answer.path, ns=(1, 1))
        client.resume_reading()
        got = await client.read_answer()
        assert not got.complete
        assert got.body == DATA[: len(got.body)]
        keep.close()


async def test_a_body_that_is_replaced_while_it_is_sent_is_sent_to_its_end(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge), await edge.client() as client:
        client.pause_reading()
        await client.send(GET)
        await full_socket(edge)
        answer._tier.put_small(primary(1), NO_VARY, b"meta", body_of(1, 2, LENGTH))
        client.resume_reading()
        assert (await client.read_answer()).body == DATA
        assert (await client.get("/a")).body == body_of(1, 2, LENGTH)


async def test_a_drain_waits_and_then_cuts(tmp_path: Path) -> None:
    async with filing(tmp_path) as (answer, edge):
        before = answer.descriptors()
        async with await edge.client() as client:
            client.pause_reading()
            await client.send(GET)
            await full_socket(edge)
            assert await edge.listener.drain(0) == 1
        await edge.until(lambda: answer.descriptors() <= before - 1, "descriptors")


async def test_an_outlet_outlives_its_use_and_no_more() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outlet = Outlet(os.dup(ours.fileno()))
        seen: list[int] = []

        def using(descriptor: int) -> int:
            outlet.close()
            os.fstat(descriptor)
            seen.append(descriptor)
            return 3

        assert outlet.use(using) == 3
        with pytest.raises(OSError):
            os.fstat(seen[0])
        with pytest.raises(BrokenPipeError):
            outlet.use(using)
        outlet.close()


async def test_there_is_none_where_bytes_are_encrypted_or_no_descriptor_is_left() -> None:
    class Encrypted(asyncio.Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return {"socket": ours, "ssl_object": object()}.get(name, default)

    class Closed(asyncio.Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return {"socket": gone}.get(name, default)

    ours, theirs = socket.socketpair()
    gone = socket.socket()
    gone.close()
    with ours, theirs:
        assert outlet_of(Encrypted()) is None
        assert outlet_of(Closed()) is None
