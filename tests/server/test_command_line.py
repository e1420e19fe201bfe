"""What was said on the command line means the same in every process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge.log import Form
from edge.server.command_line import CommandLine, Standing, read_contents, write_contents
from edge.settings.node import LogLevel, Overrides
from edge.settings.problems import SettingsFault

NODE = """
[node]
name = "from-file"
[log]
level = "warning"
form = "json"
[[site]]
name = "a"
hostnames = ["a.example"]
origins = ["http://127.0.0.1:1"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    node = tmp_path / "perigee.toml"
    node.write_text(NODE)
    return node


@pytest.mark.parametrize(
    "said",
    [
        CommandLine(None, Overrides(origin="http://a")),
        CommandLine(Path("/a/b.toml"), Overrides(workers="2"), LogLevel.DEBUG, Form.JSON),
    ],
)
def test_it_crosses_as_plain_values(said: CommandLine):
    assert CommandLine.from_json(json.loads(json.dumps(said.as_json()))) == said


def test_the_log_is_as_the_file_says_unless_the_command_line_does(file: Path, tmp_path: Path):
    data_dir = Overrides(data_dir=str(tmp_path / "data"))
    log = CommandLine(file, data_dir).load().settings.log
    assert (log.level, log.form) == (LogLevel.WARNING, Form.JSON)
    log = CommandLine(file, data_dir, LogLevel.DEBUG, Form.TEXT).load().settings.log
    assert (log.level, log.form) == (LogLevel.DEBUG, Form.TEXT)


def test_an_origin_alone_is_enough(tmp_path: Path):
    said = CommandLine(None, Overrides(origin="http://127.0.0.1:1", data_dir=str(tmp_path)))
    assert [site.name for site in said.load().settings.sites] == ["default"]


def test_what_cannot_be_used_is_said(tmp_path: Path):
    with pytest.raises(SettingsFault, match="gopher"):
        CommandLine(None, Overrides(origin="gopher://a", data_dir=str(tmp_path))).load()


def test_a_worker_that_is_started_later_holds_on_to_name_and_folder(file: Path, tmp_path: Path):
    said = CommandLine(file, Overrides(data_dir=str(tmp_path / "data")))
    pinned = said.pinned(said.load().settings)
    file.write_text(NODE.replace("from-file", "other"))
    settings = pinned.load().settings
    assert (settings.name, settings.data_dir) == ("from-file", tmp_path / "data")


def test_a_name_that_is_held_on_to_changes_nothing_else(file: Path):
    """Of a file named from the working folder, too: a reload reports what changed, and nothing else."""
    said = CommandLine(Path(os.path.relpath(file)), Overrides())
    before = said.load().settings
    assert said.named(before.name).load().settings == before
    file.write_text(NODE.replace("from-file", "other"))
    assert said.named(before.name).load().settings == before


def test_what_was_kept_makes_the_same_settings_whatever_became_of_the_files(file: Path, tmp_path: Path):
    (tmp_path / "sites").mkdir()
    site = tmp_path / "sites" / "b.toml"
    site.write_text('hostnames = ["b.example"]\norigins = ["http://127.0.0.1:2"]\n# \u00e9\n', "utf-8")
    said = CommandLine(file, Overrides(data_dir=str(tmp_path / "data")))
    loaded = said.load()
    assert [rules.name for rules in loaded.settings.sites] == ["a", "b"]
    write_contents(Standing.once(loaded.contents), tmp_path / "kept.json")
    file.write_text("half wri")
    site.unlink()
    kept = read_contents(tmp_path / "kept.json")
    assert kept == Standing.once(loaded.contents)
    assert said.load(kept.now).settings == loaded.settings
    assert said.in_force(kept) == loaded.settings


def test_a_worker_that_is_started_later_has_what_the_others_have_of_what_needs_a_restart(
    file: Path, tmp_path: Path
):
    said = CommandLine(file, Overrides(data_dir=str(tmp_path / "data")))

    def stood(capacity: str, region: str, drain: str) -> dict[Path, bytes]:
        more = f'region = "{region}"\ndrain = "{drain}"\n[memory]\ncapacity = "{capacity}"\n'
        file.write_text(NODE.replace("[log]", f"{more}[log]"))
        return dict(said.load().contents)

    def made(kept: Standing) -> tuple[int, str, float]:
        write_contents(kept, tmp_path / "kept.json")
        assert read_contents(tmp_path / "kept.json") == kept
        settings = said.in_force(kept)
        return settings.memory.capacity >> 20, settings.region, settings.drain

    first, second, third = stood("1MiB", "a", "1s"), stood("2MiB", "b", "2s"), stood("3MiB", "c", "3s")
    assert made(Standing.once(first)) == (1, "a", 1.0)
    assert made(Standing(second, first, first)) == (1, "a", 2.0)
    assert made(Standing(second, second, first)) == (2, "a", 2.0)
    assert made(Standing(third, second, first)) == (2, "a", 3.0)
    assert made(Standing(first, second, first)) == (2, "a", 1.0)


def test_what_is_the_same_is_written_once(tmp_path: Path):
    file = tmp_path / "kept.json"
    now, rolled, started = ({Path("a.toml"): content} for content in (b"now", b"rolled", b"started"))
    written = (
        (Standing.once(now), {"now"}),
        (Standing(now, rolled, rolled), {"now", "rolled"}),
        (Standing(now, now, started), {"now", "started"}),
        (Standing(now, rolled, now), {"now", "rolled", "started"}),
        (Standing(now, rolled, started), {"now", "rolled", "started"}),
    )
    for kept, parts in written:
        write_contents(kept, file)
        assert json.loads(file.read_text()).keys() == parts
        assert read_contents(file) == kept


def test_what_is_kept_can_be_read_by_this_user_only(tmp_path: Path):
    write_contents(Standing.once({}), tmp_path / "kept.json")
    assert (tmp_path / "kept.json").stat().st_mode & 0o777 == 0o600
