"""What the load generators send and say."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from tools.benching.load import Builtin, NoMeasurement, OpenLoop, Wrk, extra_of, measured_at_rate, once
from tools.benching.origin import serve
from tools.benching.pacing import Told
from tools.benching.processes import BenchFault
from tools.benching.workloads import WORKLOADS, Workload
from tools.ports import free_port

SMALL = Workload("small", "", ("/1k/a", "/1k/b"), connections=2)
NEW = replace(SMALL, targets=())


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(scope="module")
def origin() -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    while True:
        port = free_port()
        serving = asyncio.run_coroutine_threadsafe(serve(port), loop)
        while not (serving.done() or is_listening(port)):
            thread.join(0.01)
        if not serving.done():
            break  # else somebody took the port between asking for it and binding it
    yield port
    serving.cancel()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    if rest := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(rest))
    loop.close()


def test_strangers_have_a_cookie_each_and_others_what_their_row_says():
    strangers = WORKLOADS["strangers"]()
    assert extra_of(strangers, 1) != extra_of(strangers, 2)
    assert extra_of(WORKLOADS["304"](), 1) == extra_of(WORKLOADS["304"](), 2) != ()


def test_what_is_asked_for_once_never_comes_again():
    first = list(islice(once("a"), 100))
    assert len(set(first) | set(islice(once("b"), 100))) == 200


def test_the_built_in_one_counts_what_it_got(origin: int):
    for workload in (SMALL, NEW):
        measured = Builtin().run(workload, origin, 0.2, "x")
        assert measured.requests > 0
        assert measured.bytes > 1024 * measured.requests
        assert measured.seconds > 0.19  # a loop may ring a timer a hair early


def told(**changes: float) -> Told:
    usual = Told(due=100, answered=100, kept=1.0, p50=0.001, p99=0.002, p999=0.003, late=0.0001)
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_what_an_open_loop_told_is_a_measurement_when_it_kept_its_rate():
    row = replace(SMALL, rate=50)
    measured = measured_at_rate(row, told())
    assert (measured.requests, measured.seconds) == (100, 2.0)
    assert (measured.p50, measured.p99, measured.p999) == (0.001, 0.002, 0.003)
    assert (measured.kept, measured.late) == (1.0, 0.0001)


@pytest.mark.parametrize("changes", [{"kept": 0.98}, {"late": 0.002}])
def test_a_client_that_fell_behind_measured_nothing(changes: dict[str, float]):
    with pytest.raises(NoMeasurement):
        measured_at_rate(replace(SMALL, rate=50), told(**changes))


def test_requests_without_an_answer_are_the_servers_fault():
    with pytest.raises(BenchFault, match="1 of 100"):
        measured_at_rate(replace(SMALL, rate=50), told(answered=99))


@pytest.mark.slow
def test_a_constant_rate_is_what_it_is_called(origin: int, tmp_path: Path):
    try:
        measured = OpenLoop(None, tmp_path).run(replace(SMALL, rate=200), origin, 0.5)
    except NoMeasurement as fault:
        pytest.skip(f"this machine has no core for the client: {fault}")
    assert measured.requests == 100
    assert measured.seconds == 0.5


@pytest.mark.slow
def test_nobody_at_the_port_is_a_fault(tmp_path: Path):
    with pytest.raises(BenchFault, match="open_loop"):
        OpenLoop(None, tmp_path).run(replace(SMALL, rate=200), free_port(), 0.1)


@pytest.mark.slow
@pytest.mark.skipif(not Wrk.is_installed(), reason="wrk is not installed")
@pytest.mark.parametrize("workload", [SMALL, NEW])
def test_wrk_counts_what_it_got(origin: int, workload: Workload, tmp_path: Path):
    measured = Wrk(None, tmp_path).run(workload, origin, 1, "x")
    assert measured.requests > 0
    assert measured.p99 is not None
    assert measured.p50 is not None
    assert 0 < measured.p50 <= measured.p99 < 1


@pytest.mark.slow
@pytest.mark.skipif(not Wrk.is_installed(), reason="wrk is not installed")
def test_a_failed_run_is_no_measurement(tmp_path: Path):
    with pytest.raises(BenchFault):
        Wrk(None, tmp_path).run(SMALL, free_port(), 1, "x")
