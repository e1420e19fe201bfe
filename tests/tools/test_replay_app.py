"""The options of a replay reach its work."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tools.perigee import app


@pytest.mark.parametrize("name", ["replay", "replay-origin"])
def test_both_commands_explain_themselves(name: str):
    said = CliRunner().invoke(app, [name, "--help"])
    assert said.exit_code == 0
    assert "--cache-control" in said.output


def test_an_edge_must_be_named(tmp_path: Path):
    said = CliRunner().invoke(app, ["replay", str(tmp_path / "log")])
    assert said.exit_code == 2
    assert "--against" in said.output
