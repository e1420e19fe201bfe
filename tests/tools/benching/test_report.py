"""The table, and its place between the markers of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.benching.load import Measured
from tools.benching.measuring import Row, Turn
from tools.benching.report import BEGIN, END, Circumstances, between_markers, table, write
from tools.benching.workloads import WORKLOADS

SAID = Circumstances("2026-11-24", "2 cores", ("Perigee 1", "nginx 2"), "pinned", "wrk", 3, 4.0)


def turns(*values: float, p99: float | None = None, cpu: float | None = None) -> list[Turn]:
    return [Turn(value, Measured(10, 10, 1.5, p99, p99), cpu) for value in values]


def test_a_row_has_medians_extremes_and_ratios():
    hits = Row(
        WORKLOADS["hits"](),
        {
            "Perigee": turns(3000, 1000, 2000, p99=0.002, cpu=25e-6),
            "nginx": turns(4000, 4000, 4000, cpu=10e-6),
        },
    )
    crowd = Row(WORKLOADS["crowd"](), {"Perigee": turns(1), "nginx": turns(2)})
    lines = table([hits, crowd], ["Perigee", "nginx"], SAID).splitlines()
    assert lines[0].startswith(
        "2026-11-24, 2 cores; pinned; Perigee 1; nginx 2. Load: wrk, 3 turns each of 4 s"
    )
    assert lines[2] == "| workload | Perigee | nginx | Perigee / nginx |"
    assert lines[4] == (
        f"| {hits.workload.title} | 2,000 requests/s (1,000-3,000), p99 2.0 ms, 25 us CPU"
        " | 4,000 requests/s (4,000-4,000), 10 us CPU | **0.50**, by CPU time 0.40 |"
    )
    assert lines[5] == (
        f"| {crowd.workload.title} | 1 (1-1), all answered in 1.50 s | 2 (2-2), all answered in 1.50 s |  |"
    )


def test_one_alone_has_no_ratio():
    alone = Row(WORKLOADS["1m"](), {"Perigee": turns(900, cpu=0.012)})
    assert table([alone], ["Perigee"], SAID).splitlines()[4:] == [
        "| 1 MB from memory | 900 MB/s (900-900), 12 ms CPU |"
    ]


def test_the_block_replaces_what_stood_between_the_markers(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n\n{BEGIN}\nold\n{END}\n\nbelow\n")
    write(page, "new")
    assert page.read_text() == f"above\n\n{BEGIN}\nnew\n{END}\n\nbelow\n"


@pytest.mark.parametrize("page", ["", BEGIN, f"{END} {BEGIN}"])
def test_a_page_without_markers_is_left_alone(page: str):
    with pytest.raises(ValueError, match="bench: begin"):
        between_markers(page, "new")
