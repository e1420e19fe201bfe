"""The routing log reaches its file."""

from __future__ import annotations

from pathlib import Path

import dns.message

from edge.geo.dns.measures import DnsMeasures
from edge.server.dns_log import FLUSH_BYTES, RoutingLog
from tests.kit.clock import ManualClock
from tests.kit.nameservers import Answering
from tests.kit.waiting import until


def answered(count: int) -> Answering:
    made = Answering()
    for _ in range(count):
        made.ask(dns.message.make_query("www.cdn.example.", "A"))
    return made


async def test_lines_are_written_soon(tmp_path: Path):
    file = tmp_path / "routing.log"
    log = RoutingLog(file, ManualClock(), DnsMeasures())
    for recorded in answered(3).recorded:
        log.record(recorded)

    async def is_there() -> bool:
        return file.read_text().count("rloc=pop7") == 3

    await until(is_there)
    await log.aclose()


async def test_many_lines_are_written_at_once_and_a_renamed_file_is_made_anew(tmp_path: Path):
    file = tmp_path / "routing.log"
    log = RoutingLog(file, ManualClock(), DnsMeasures())
    recorded = answered(1).recorded[0]
    for _ in range(2 * FLUSH_BYTES // 100):
        log.record(recorded)
    file.rename(tmp_path / "old.log")
    log.reopen()
    log.record(recorded)
    await log.aclose()
    assert file.read_text().count("\n") == 1
    assert (tmp_path / "old.log").read_text().count("\n") == 2 * FLUSH_BYTES // 100
