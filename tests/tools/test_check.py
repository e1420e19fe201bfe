"""`perigee check` says every error with its line, to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.check import run

CONFIG = Path(__file__).parent.parent.parent / "config"


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "perigee.toml"
    site = '[[site]]\nhostnames = ["a.org"]\norigins = ["http://127.0.0.1:3000"]\n'
    file.write_text('nonsense = 1\n\nmore_nonsense = "x"\n' + site, encoding="utf-8")
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
    assert said["files"] == [{"file": str(faulty), "kind": "node", "sites": ["a.org"]}]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path / "nowhere.toml", to_json=True) == 1
    assert "nowhere.toml" in capsys.readouterr().out


def test_sound_files_are_named_with_their_sites(capsys: pytest.CaptureFixture[str]):
    assert run(CONFIG / "edge.toml", CONFIG / "sites" / "example.toml", CONFIG / "network.toml") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{CONFIG / 'edge.toml'}: sound; node with sites example",
        f"{CONFIG / 'sites' / 'example.toml'}: sound; site example",
        f"{CONFIG / 'network.toml'}: sound; network that routes shop",
    ]


def test_a_site_file_that_is_checked_twice_is_complained_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    node, site = tmp_path / "edge.toml", tmp_path / "site.toml"
    node.write_text('sites = "site.toml"\n', encoding="utf-8")
    site.write_text('hostnames = ["a.org"]\n', encoding="utf-8")
    assert run(node, site) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_what_only_this_machine_knows_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("", encoding="utf-8")
    site = tmp_path / "site.toml"
    site.write_text(
        'hostnames = ["a.org"]\norigins = ["https://a.org"]\n[origin]\ntls_ca_file = "file"\n',
        encoding="utf-8",
    )
    assert run(site) == 0
    assert run(site, here=True) == 1
    assert "site.toml:4: origin.tls_ca_file: " in capsys.readouterr().out


ZONED = """
[[region]]
name = "eu"
[[pop]]
name = "fra"
region = "eu"
latitude = 50.11
longitude = 8.68
addresses = ["192.0.2.1"]
[[route]]
site = "shop"
hosts = ["shop.cdn.example"]
[[zone]]
origin = "cdn.example"
ns = ["ns1.cdn.example"]
file = "more.zone"
"""


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (None, "more.zone: the zone file cannot be read"),
        ("ns1 60 A 192.0.2.53\nx 60 A 1.2.3.4.5\n", "more.zone:"),
        ("ns1 60 A 192.0.2.53\nshop 60 A 192.0.2.9\n", "shop.cdn.example. has addresses and is routed"),
        ("www 60 A 192.0.2.9\n", "ns1.cdn.example. is its name server and has no address in it"),
        ("ns1 60 A 192.0.2.53\n", None),
    ],
)
def test_what_stands_in_zone_files_is_checked_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], zone: str | None, words: str | None
):
    network = tmp_path / "network.toml"
    network.write_text(ZONED, encoding="utf-8")
    if zone is not None:
        (tmp_path / "more.zone").write_text(zone, encoding="utf-8")
    assert run(network) == (words is not None)
    assert (words or f"{network}: sound") in capsys.readouterr().out
