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
        "2026-11-24, 2 cores; pinned; Perigee 1; nginx 2. Load: wrk, 3 turns each of 4 s, in the order A B A B;"
    )
    assert lines[2] == "| workload | Perigee | nginx | Perigee / nginx |"
    assert lines[4] == (
        f"| {hits.workload.title} | 2,000 requests/s (1,000-3,000), p99 2.0 ms, 25 us CPU"
        " | 4,000 requests/s (4,000-4,000), 10 us CPU | **0.50**, by CPU time 0.40 |"
    )
    assert lines[5] == (
        f"| {crowd.workload.title} | 1 (1-1), all answered in 1.50 s | 2 (2-2), all answered in 1.50 s |  |"
    )


def test_of_several_the_better_is_what_counts_and_is_named():
    strangers = Row(
        WORKLOADS["strangers"](),
        {
            "Perigee": turns(2000, 2000, cpu=20e-6),
            "nginx": turns(4000, 4000, cpu=16e-6),
            "Varnish": turns(1000, 8000, cpu=10e-6),
        },
    )
    disk = Row(WORKLOADS["disk"](), {"Perigee": turns(3000), "nginx": turns(2000)})
    crowd = Row(WORKLOADS["crowd"](), {name: turns(1) for name in ("Perigee", "nginx", "Varnish")})
    lines = table([strangers, disk, crowd], ["Perigee", "nginx", "Varnish"], SAID).splitlines()
    assert "in the order A B C A B C;" in lines[0]
    assert lines[2] == "| workload | Perigee | nginx | Varnish | Perigee / the better |"
    # The median of Varnish, 4,500, is above that of nginx; the ratio is turn by turn.
    assert lines[4].endswith(" | **1.12** (Varnish), by CPU time 0.50 |")
    assert lines[5].endswith("(2,000-2,000) | - | **1.50** (nginx) |")
    assert lines[6].endswith(" |  |")


def test_the_cheaper_is_named_where_it_is_not_the_better():
    hits = Row(
        WORKLOADS["hits"](),
        {"Perigee": turns(1, cpu=20e-6), "nginx": turns(4, cpu=16e-6), "Varnish": turns(2, cpu=10e-6)},
    )
    line = table([hits], ["Perigee", "nginx", "Varnish"], SAID).splitlines()[4]
    assert line.endswith(" | **0.25** (nginx), by CPU time 0.50 (Varnish) |")


def test_at_a_constant_rate_less_is_better_and_the_client_says_how_it_kept_it():
    def at(p99: float) -> list[Turn]:
        said = Measured(10, 0, 1.0, p50=p99 / 4, p99=p99, p999=p99 * 2, kept=0.999, late=0.0001)
        return [Turn(p99, said, 25e-6)]

    rate = Row(WORKLOADS["rate"](), {"Perigee": at(0.002), "nginx": at(0.001), "Varnish": at(0.004)})
    line = table([rate], ["Perigee", "nginx", "Varnish"], SAID).splitlines()[4]
    assert "less is better" in line
    assert line.split(" | ")[1] == (
        "p99 2.00 (2.00-2.00) ms, p50 0.50, p99.9 4.00, 25 us CPU; sent in time 99.9%, p99 of lateness 0.10 ms"
    )
    assert line.endswith(" | **2.00** (nginx), by CPU time 1.00 |")


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
