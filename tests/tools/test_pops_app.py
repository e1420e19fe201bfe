"""The commands are there, with their help and their default."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tools.perigee import app


@pytest.mark.parametrize("command", ["pops", "drain", "undrain"])
def test_it_has_help_and_asks_the_admin_address_of_a_dns_server(command: str):
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "http://127.0.0.1:8082" in result.output
