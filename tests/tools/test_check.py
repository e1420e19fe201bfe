"""`perigee check` says every error with its line, to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.check import run


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "perigee.toml"
    file.write_text('nonsense = 1\n\nmore_nonsense = "x"\n', encoding="utf-8")
    return file


def test_every_error_is_a_line_that_begins_with_where_it_is(faulty: Path, capsys: pytest.CaptureFixture[str]):
    assert run(faulty, to_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{faulty}:1: nonsense")
    assert lines[1].startswith(f"{faulty}:3: more_nonsense")


def test_a_program_gets_each_problem_in_parts(faulty: Path, capsys: pytest.CaptureFixture[str]):
    assert run(faulty, to_json=True) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert [(one["line"], one["setting"]) for one in said["problems"]][:2] == [
        (1, "nonsense"),
        (3, "more_nonsense"),
    ]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path / "nowhere.toml", to_json=True) == 1
    assert "nowhere.toml" in capsys.readouterr().out
