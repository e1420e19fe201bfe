"""`perigee keys` makes keys that verify, shows them, and takes them back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.errors import ConfigFault
from edge.purge.signing.key_files import load_keys
from edge.purge.signing.keys import ALL_KINDS, KeyState, Scope, ScopeKind
from edge.purge.signing.private_keys import read_private
from edge.purge.signing.verify import Verified, verify
from edge.settings.problems import SettingsFault
from tests.kit.signed import signed
from tools.keys import NewKey, new, revoke, revoked, show
from tools.perigee import app


def asked(
    folder: Path,
    name: str = "deploy",
    *,
    algorithm: str = "ed25519",
    sites: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    everything: bool = False,
) -> NewKey:
    private = folder.parent / f"{name}.pem"
    return NewKey(name, folder, private, algorithm, list(sites), list(kinds), everything)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.mark.parametrize(("algorithm", "mode"), [("ed25519", 0o644), ("hmac-sha256", 0o600)])
def test_a_new_key_signs_what_the_nodes_verify(
    folder: Path, algorithm: str, mode: int, capsys: pytest.CaptureFixture[str]
):
    assert new(asked(folder, algorithm=algorithm)) == 0
    now = time.time()
    message = signed(key=read_private(folder.parent / "deploy.pem"), now=now)
    assert isinstance(verify(message, load_keys(folder, env={}), now), Verified)
    assert (folder / "deploy.toml").stat().st_mode & 0o777 == mode
    assert (folder.parent / "deploy.pem").stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().out
    assert "perigee sign --key" in said
    assert ("it has the secret in it" in said) is (algorithm == "hmac-sha256")


SCOPES = [
    ({}, Scope(), "every site, by any selector, and not everything at a stroke"),
    ({"everything": True}, Scope(may_purge_everything=True), "everything"),
    (
        {"sites": ("shop", "blog"), "kinds": ("tag", "url")},
        Scope(frozenset({"shop", "blog"}), frozenset({ScopeKind.TAG, ScopeKind.URL})),
        "shop, blog, by tag, url",
    ),
]


@pytest.mark.parametrize(("options", "scope", "said"), SCOPES)
def test_a_new_key_has_the_scope_that_was_asked_for(folder: Path, options, scope, said, capsys):
    new(asked(folder, **options))
    key = load_keys(folder, env={}).get("deploy")
    assert key is not None
    assert key.scope == scope
    assert f"It may purge {said}" in capsys.readouterr().out


WRONG = [
    ({"name": "a b"}, "is no name"),
    ({"algorithm": "rsa"}, '"rsa" is not known here'),
    ({"kinds": ("everything",)}, '"everything" is not known here'),
    ({"sites": ("",)}, "is no name"),
    ({"sites": ("shop",), "everything": True}, "leave out --site, or --everything"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[row[1] for row in WRONG])
def test_what_cannot_be_made_is_said_and_nothing_is_written(folder: Path, options, said: str):
    with pytest.raises(ConfigFault, match=said):
        new(asked(folder, **options))
    assert list(folder.parent.iterdir()) == []


def test_no_key_is_overwritten(folder: Path):
    new(asked(folder))
    before = (folder / "deploy.toml").read_text()
    with pytest.raises(ConfigFault, match="deploy.pem is there already"):
        new(asked(folder))
    (folder.parent / "deploy.pem").unlink()
    with pytest.raises(ConfigFault, match="deploy.toml is there already"):
        new(asked(folder))
    assert (folder / "deploy.toml").read_text() == before
    assert not (folder.parent / "deploy.pem").exists()


def test_the_list_shows_each_key(folder: Path, capsys: pytest.CaptureFixture[str]):
    new(asked(folder, sites=("shop",), kinds=("tag",)))
    new(asked(folder, "ops", everything=True))
    (folder / "ops.toml").write_text((folder / "ops.toml").read_text() + "not_after = 2027-01-31T00:00:00Z\n")
    capsys.readouterr()
    assert show(folder, to_json=False) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["deploy", "ed25519", "active", "always", "shop", "tag"]
    assert lines[2][:5] == ["ops", "ed25519", "active", "until", "2027-01-31T00:00:00Z"]
    assert show(folder, to_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(key["id"], key["sites"], key["not_after"]) for key in said] == [
        ("deploy", ["shop"], None),
        ("ops", "*", "2027-01-31T00:00:00Z"),
    ]
    assert set(said[1]["kinds"]) == {kind.value for kind in ALL_KINDS} | {"everything"}


def test_the_list_says_what_is_wrong_and_shows_the_rest(folder: Path, capsys: pytest.CaptureFixture[str]):
    new(asked(folder))
    (folder / "bad.toml").write_text("id = 1\n")
    assert show(folder, to_json=False) == 1
    out, err = capsys.readouterr()
    assert "deploy" in out
    assert "bad.toml:1: id:" in err
    with pytest.raises(ConfigFault, match="cannot be read"):
        show(folder / "none", to_json=False)


def test_a_revoked_key_keeps_its_file(folder: Path, capsys: pytest.CaptureFixture[str]):
    new(asked(folder))
    mode = (folder / "deploy.toml").stat().st_mode
    assert revoke("deploy", folder) == 0
    key = load_keys(folder, env={}).get("deploy")
    assert key is not None
    assert key.state is KeyState.REVOKED
    assert (folder / "deploy.toml").stat().st_mode == mode
    assert [file.name for file in folder.iterdir()] == ["deploy.toml"]
    assert revoke("deploy", folder) == 0
    assert "was revoked before" in capsys.readouterr().out


def test_a_key_is_found_by_its_id_and_not_by_its_file(folder: Path):
    new(asked(folder))
    (folder / "deploy.toml").rename(folder / "of-the-shop.toml")
    revoke("deploy", folder)
    with pytest.raises(ConfigFault, match="has the key of-the-shop"):
        revoke("of-the-shop", folder)


TEXTS = [
    (b'id = "a"\nstate = "active"  # for now\nx = 1\n', b'id = "a"\nstate = "revoked"\nx = 1\n'),
    (b'id = "a"\r\n"state" = "active"\r\n', b'id = "a"\r\nstate = "revoked"\n'),
    (b'# of the shop\nid = "a"', b'state = "revoked"\n# of the shop\nid = "a"'),
    (b'# state = "active"\nid = "a"', b'state = "revoked"\n# state = "active"\nid = "a"'),
]


@pytest.mark.parametrize(("text", "after"), TEXTS)
def test_all_else_in_the_file_stays(text: bytes, after: bytes):
    assert revoked("a.toml", text) == after


def test_a_state_that_cannot_be_edited_is_said():
    with pytest.raises(SettingsFault, match=r'a.toml:1: state: .* write state = "revoked"'):
        revoked("a.toml", b'state = """\nactive"""\n')


def test_the_command_line(tmp_path: Path):
    folder, private = tmp_path / "keys", tmp_path / "k.pem"
    runner = CliRunner()
    made = [
        "keys",
        "new",
        "k",
        "--dir",
        str(folder),
        "--private",
        str(private),
        "--site",
        "shop",
        "--kind",
        "tag",
        "--kind",
        "url",
    ]
    assert runner.invoke(app, made).exit_code == 0
    assert "shop" in runner.invoke(app, ["keys", "list", "--dir", str(folder)]).output
    assert runner.invoke(app, ["keys", "revoke", "k", "--dir", str(folder)]).exit_code == 0
    assert '"revoked"' in runner.invoke(app, ["keys", "list", "--dir", str(folder), "--json"]).output
    assert "without a gap" in runner.invoke(app, ["keys", "--help"]).output
