"""The command line of `make bench-purge`, and its table."""

from __future__ import annotations

import pytest

from tools.bench_purge import BEGIN, END, PAGE, _options, between_markers, table
from tools.purge_bench.rows import ROWS, Said


def test_its_options() -> None:
    options = _options().parse_args(["hits", "--seconds", "2", "--missed", "10"])
    assert (options.rows, options.seconds, options.missed, options.write) == (["hits"], 2.0, 10, False)
    assert set(ROWS) == {"delivery", "api", "catch-up", "hits"}


def test_the_table_has_a_line_for_each_figure() -> None:
    assert table([Said("catching up", "4 s")], "today") == (
        "today\n\n| what | figure |\n|---|---|\n| catching up | 4 s |"
    )


def test_the_page_has_a_place_for_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"{BEGIN}\nnew\n{END}" in between_markers(page, "new")
    with pytest.raises(ValueError, match="bench-purge: begin"):
        between_markers("no markers", "new")
