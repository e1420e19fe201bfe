"""The command says what it can do, and says its errors in its own words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tools.perigee import app

SUBCOMMANDS = ["run", "demo", "check", "explain", "keys", "sign"]


def test_help_names_every_subcommand():
    said = CliRunner().invoke(app, ["--help"])
    assert said.exit_code == 0
    assert all(name in said.output for name in SUBCOMMANDS)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_explains_itself(name: str):
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_run_needs_an_origin_or_a_file():
    said = CliRunner().invoke(app, ["run"])
    assert said.exit_code == 2
    assert "--origin" in said.output
    assert "--config" in said.output


@pytest.mark.slow
def test_settings_that_cannot_be_used_are_said_in_a_line_and_no_traceback():
    command = [sys.executable, "-m", "tools.perigee", "run", "--origin", "gopher://127.0.0.1"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert said.returncode == 2
    assert "gopher" in said.stderr
    assert "Traceback" not in said.stderr
