"""The DNS benchmark reads what dnsperf prints, and shows medians."""

from __future__ import annotations

import pytest

from tools.bench_dns import Turn, read, table
from tools.benching.processes import BenchFault

SAID = """
Statistics:

  Queries sent:         100200
  Queries completed:    100000 (99.80%)
  Queries lost:         200 (0.20%)

  Run time (s):         2.000000
  Queries per second:   50000.250000
"""


def test_what_dnsperf_prints_is_read():
    assert read(SAID, 1.5) == Turn(50000.25, 15.0, 200)
    assert read(SAID, None) == Turn(50000.25, None, 200)


@pytest.mark.parametrize("said", ["", "Error: sending UDP packet", SAID.replace("100000 ", "0 ")])
def test_what_did_not_end_is_no_result(said: str):
    with pytest.raises(BenchFault):
        read(said, 1.0)


def test_the_table_has_medians_and_ratios():
    rows = {
        "ecs": {
            "perigee": [Turn(90_000, 10.0, 0), Turn(60_000, 11.0, 0), Turn(80_000, 12.0, 0)],
            "powerdns": [Turn(40_000, 22.0, 0), Turn(41_000, 21.0, 1), Turn(10_000, 23.0, 0)],
        }
    }
    line = table(rows, ["perigee", "powerdns"]).splitlines()[-1]
    assert "80,000/s, 11.0 us" in line
    assert "40,000/s, 22.0 us, 1 lost" in line
    assert "**2.00**, by processor time 2.00" in line
