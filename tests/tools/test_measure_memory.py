"""What a stored response costs, by arithmetic and on a small scale."""

from __future__ import annotations

import sys

import pytest

from tools.measure_memory import Look, Stage, beyond, charged, gauges, memory, overhead, table_of

BASE = Look(resident=50_000_000, objects=2, charged=0)
FULL = Look(resident=155_000_000, objects=50_000, charged=98_000_000)


def test_overhead_is_what_is_neither_body_nor_base():
    assert overhead(FULL, BASE, body=1000) == 1100.0
    assert charged(FULL, BASE, body=1000) == 960.0


def test_the_ceiling_is_meant_with_the_base_and_the_empty_tier_is_not_counted_twice():
    assert beyond(FULL, BASE, capacity=100_000_000) == pytest.approx(155 / 150)
    with_ghosts = Look(resident=60_000_000, objects=0, charged=10_000_000)
    assert beyond(FULL, with_ghosts, capacity=100_000_000) == pytest.approx(155 / 150)


def test_the_gauges_of_the_memory_tier_are_read_and_no_others():
    text = (
        "# HELP perigee_stored_bytes x\n"
        'perigee_stored_bytes{tier="disk"} 7.0\nperigee_stored_bytes{tier="memory"} 1.5e+06\n'
        'perigee_stored_responses{tier="memory"} 300.0\nperigee_requests_total{site="a"} 9.0\n'
    )
    assert gauges(text) == {"perigee_stored_bytes": 1_500_000.0, "perigee_stored_responses": 300.0}


def test_the_table_has_a_line_for_each_stage_and_no_overhead_where_bodies_differ():
    rows = dict(table_of(BASE, 100_000_000, [Stage("one size", 1000, FULL), Stage("mixed", None, FULL)]))
    assert rows["base: the worker without responses"] == "50.0 MB"
    assert "1.033 of ceiling and base; overhead of one 1,100 bytes (charged: 960)" in rows["one size"]
    assert "overhead" not in rows["mixed"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_a_small_run_fills_a_small_tier_to_its_ceiling():
    rows = dict(await memory(600, churn=200, mixed=100, mib=1))
    held = int(rows["after 600 of 1 KB"].split()[0].replace(",", ""))
    assert 100 < held < 600, "it is full: some had to leave"
    assert set(rows) >= {"after 200 more", "after 100 more of 1 to 24 KB"}
