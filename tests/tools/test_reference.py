"""The generated pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.reference import FOLDER, PAGES, table, write


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_up_to_date(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), (
        "run `make reference` and commit the result"
    )


def test_pages_are_written_once(tmp_path: Path):
    assert sorted(path.name for path in write(tmp_path)) == sorted(PAGES)
    assert write(tmp_path) == []


def test_a_cell_cannot_break_its_table():
    assert table(("a",), [("x|y\nz",)]) == "| a |\n| --- |\n| x\\|y z |\n"
