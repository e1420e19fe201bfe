"""The rows of `make bench-purge`, on a small scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.benching.processes import Cores
from tools.purge_bench.rows import Size, Turn, _compared, catch_up, milliseconds

SMALL = 300


@pytest.mark.slow
async def test_catching_up_is_from_what_was_known_to_the_last_purge(tmp_path: Path) -> None:
    (said,) = await catch_up(tmp_path, Size(0.1, SMALL, Cores(None, None)))
    assert said.what == "a reader catches up with 300 purges that it missed"
    assert said.figure.endswith(" us CPU on each")


def test_hits_with_purges_are_compared_to_those_without_turn_by_turn() -> None:
    turns = [
        Turn(100.0, 1e-5, 1e-5),
        Turn(90.0, 2e-5, 4e-5),
        Turn(1000.0, 1e-5, 1e-5),
        Turn(800.0, 2e-5, 4e-5),
    ]
    (said,) = _compared(turns)
    assert said.figure == (
        "445 and 550 hits/s: **0.85**; 20 and 10 us of the worker's CPU a hit: **0.50**, the supervisor's included 0.25"
    )


def test_quantiles() -> None:
    assert (
        milliseconds([0.001 * number for number in range(1, 101)])
        == "p50 51.0 ms, p99 100.0 ms, at most 100.0 ms"
    )
    assert milliseconds([0.002]) == "p50 2.0 ms, p99 2.0 ms, at most 2.0 ms"
