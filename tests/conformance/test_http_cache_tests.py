"""The public suite against a default edge: what passes is recorded, and the record only gets better."""

from pathlib import Path

import pytest

from tests.conformance.record import FLOOR, recorded
from tests.conformance.score import Kind, departures, passed, summary
from tests.conformance.suite import run_suite, suite_origin
from tests.kit.world import World
from tools.ports import free_ports


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_default_edge_passes_what_is_recorded_of_http_cache_tests(
    tmp_path: Path, workers: int
) -> None:
    async with (
        suite_origin(free_ports(1)[0]) as origin,
        World(tmp_path, origin=origin, workers=workers) as world,
    ):
        scored = await run_suite(world.url)
    print(f"\nhttp-cache-tests 0.4.5, {workers} worker(s): {summary(scored)}")
    found = departures(scored, recorded())
    lost = [f"{s.test.id} ({s.verdict.value}): {s.message}" for s in found.lost]
    assert not lost, "these used to pass:\n  " + "\n  ".join(lost)
    assert not found.gained, f"these pass now; take them out of expected.json: {', '.join(found.gained)}"
    assert passed(scored, Kind.REQUIRED)[0] + passed(scored, Kind.OPTIMAL)[0] >= FLOOR
