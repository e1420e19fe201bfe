"""The options of a warming reach its work."""

from __future__ import annotations

from typer.testing import CliRunner

from tools.perigee import app


def test_it_explains_itself():
    said = CliRunner().invoke(app, ["warm", "--help"])
    assert said.exit_code == 0
    assert "--url-list" in said.output


def test_it_warms_with_one_thing():
    for sources in ([], ["--sitemap", "http://a/s", "--from", "http://b"]):
        said = CliRunner().invoke(app, ["warm", "--to", "http://127.0.0.1:1", *sources])
        assert said.exit_code == 2
        assert "say one of" in said.output
