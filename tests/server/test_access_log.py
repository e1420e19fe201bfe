"""Every exchange is counted once, and written down where the operator wants it."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.exchange import NO_VERDICT, Verdict
from edge.measures import Measures
from edge.metrics import flat
from edge.semantics.reasons import Because
from edge.server.access_log import FLUSH_BYTES, AccessLog
from edge.settings.node import LogSettings, LogTarget, Network
from tests.kit.clock import ManualClock
from tests.kit.exchanges import HIT, replied, requested

TRUSTED: tuple[Network, ...] = (ip_network("10.0.0.0/8"),)


def log_of(access: Path | LogTarget, form: str = "{client} {status}", **more: object) -> AccessLog:
    return AccessLog(LogSettings(access, form), ManualClock(), Measures(), **more)  # type: ignore[arg-type]


def record(
    log: AccessLog, verdict: Verdict = HIT, status: int = 200, *, peer: str = "192.0.2.1", **more
) -> None:
    log.record(peer, more.get("request", requested()), replied(status, verdict), 10, 0.003, whole=True)


async def test_an_exchange_is_counted_by_site_cache_reason_and_class():
    measures = Measures()
    log = AccessLog(LogSettings(LogTarget.OFF), ManualClock(), measures)
    record(log)
    record(log, status=206)
    record(log, Verdict("shop", "uri-miss", Because.NO_STORE), 404)
    log.record("192.0.2.1", None, replied(400, NO_VERDICT), 0, 0.0, whole=True)
    await log.aclose()
    snapshot = measures.registry.snapshot()
    assert flat(snapshot, "perigee_requests_total") == {
        ("shop", "hit", "fresh", "2xx"): 2,
        ("shop", "uri-miss", "no-store", "4xx"): 1,
        ("-", "-", "-", "4xx"): 1,
    }
    assert flat(snapshot, "perigee_response_body_bytes_total")["shop", "hit"] == 20
    seconds = snapshot["perigee_request_duration_seconds"]["cells"]
    assert {cell["values"][0]: sum(cell["counts"]) for cell in seconds} == {"hit": 2, "uri-miss": 1, "-": 1}


async def test_what_other_workers_ask_is_not_counted_again():
    measures = Measures()
    log = AccessLog(LogSettings(LogTarget.OFF), ManualClock(), measures)
    log.of_tier().record("unix", requested(), replied(), 10, 0.1, whole=True)
    await log.aclose()
    assert flat(measures.registry.snapshot(), "perigee_requests_total") == {}


async def test_lines_are_written_by_and_by_and_at_the_end(tmp_path: Path):
    file = tmp_path / "access.log"
    log = log_of(file)
    record(log)
    record(log, status=404)
    assert file.read_bytes() == b""
    await log.aclose()
    assert file.read_bytes() == b"192.0.2.1 200\n192.0.2.1 404\n"


async def test_lines_are_written_without_a_further_exchange(tmp_path: Path):
    file = tmp_path / "access.log"
    log = log_of(file)
    record(log)
    async with asyncio.timeout(5):
        while not file.read_bytes():  # noqa: ASYNC110 - a file rings no bell
            await asyncio.sleep(0.01)
    await log.aclose()


async def test_many_lines_are_written_before_their_time(tmp_path: Path):
    log = log_of(tmp_path / "access.log", "{client} " + "x" * 1_000)
    for _ in range(FLUSH_BYTES // 1_000):
        record(log)
    assert log._lines == []
    await log.aclose()
    assert len((tmp_path / "access.log").read_bytes().splitlines()) == FLUSH_BYTES // 1_000


async def test_the_second_of_a_line_is_the_clocks(tmp_path: Path):
    clock = ManualClock(1_795_514_656.25)
    log = AccessLog(LogSettings(tmp_path / "a", "{time}"), clock, Measures())
    record(log)
    clock.advance(0.5)
    record(log)
    clock.advance(0.5)
    record(log)
    await log.aclose()
    assert (tmp_path / "a").read_text().split() == [
        "2026-11-24T10:04:16.250Z",
        "2026-11-24T10:04:16.750Z",
        "2026-11-24T10:04:17.250Z",
    ]


@pytest.mark.parametrize(
    ("trusted", "peer", "client"),
    [
        (TRUSTED, "10.0.0.1", "198.51.100.7"),
        (TRUSTED, "192.0.2.1", "192.0.2.1"),
        ((), "10.0.0.1", "10.0.0.1"),
    ],
)
async def test_a_trusted_proxy_says_who_the_client_is(tmp_path: Path, trusted, peer: str, client: str):
    log = log_of(tmp_path / "a", "{client} {peer}", trusted=trusted)
    record(log, peer=peer, request=requested(b"X-Forwarded-For: 198.51.100.7"))
    await log.aclose()
    assert (tmp_path / "a").read_text() == f"{client} {peer}\n"


async def test_the_form_and_the_file_can_change_in_between(tmp_path: Path):
    log = log_of(tmp_path / "a", "{status}")
    record(log)
    log.apply(LogSettings(tmp_path / "a", "json"))
    record(log)
    log.apply(LogSettings(tmp_path / "b", "{client}"))
    record(log)
    log.apply(LogSettings(LogTarget.OFF))
    record(log)
    log.apply(LogSettings(tmp_path / "b", "{status}"))
    record(log)
    await log.aclose()
    first, second = (tmp_path / "a").read_text().splitlines()
    assert first == "200"
    assert json.loads(second)["status"] == 200
    assert (tmp_path / "b").read_text() == "192.0.2.1\n200\n"


async def test_a_log_that_was_off_can_be_switched_on(tmp_path: Path):
    log = log_of(LogTarget.OFF)
    record(log)
    log.apply(LogSettings(tmp_path / "a", "{status}"))
    record(log, status=304)
    await log.aclose()
    assert (tmp_path / "a").read_text() == "304\n"


async def test_a_rotated_file_is_made_anew(tmp_path: Path):
    log = log_of(tmp_path / "a", "{status}")
    record(log)
    (tmp_path / "a").rename(tmp_path / "a.1")
    log.reopen()
    record(log, status=404)
    await log.aclose()
    assert ((tmp_path / "a.1").read_text(), (tmp_path / "a").read_text()) == ("200\n", "404\n")


async def test_a_new_file_that_cannot_be_opened_leaves_the_old_one(tmp_path: Path):
    log = log_of(tmp_path / "a", "{status}")
    log.apply(LogSettings(tmp_path / "none" / "a", "{status}"))
    record(log)
    await log.aclose()
    assert (tmp_path / "a").read_text() == "200\n"


async def test_a_log_that_is_switched_on_but_cannot_be_opened_stays_off(tmp_path: Path):
    log = log_of(LogTarget.OFF)
    log.apply(LogSettings(tmp_path / "none" / "a", "{status}"))
    record(log)
    log.apply(LogSettings(tmp_path / "a", "{status}"))
    record(log, status=304)
    await log.aclose()
    assert (tmp_path / "a").read_text() == "304\n"
