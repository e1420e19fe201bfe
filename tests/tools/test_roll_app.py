"""The options of a roll reach its work."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from tools.perigee import app


def test_it_explains_itself():
    said = CliRunner().invoke(app, ["roll", "--help"])
    assert said.exit_code == 0
    assert "--data-dir" in said.output


def test_where_no_node_is_it_fails_and_names_the_place(tmp_path: Path):
    said = CliRunner().invoke(app, ["roll", "--data-dir", str(tmp_path)])
    assert said.exit_code == 1
    assert "no edge of this user answers" in str(said.exception or said.output)
