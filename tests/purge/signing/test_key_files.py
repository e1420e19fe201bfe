"""A folder of key files is a ring, or every problem of it is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.purge.signing.key_files import MAX_FILES, load_keys, read_key_file, written
from edge.purge.signing.keys import ALL_KINDS, Key, KeyState, Scope, ScopeKind
from edge.semantics.message import UnixSeconds
from edge.settings.document import MAX_FILE_BYTES
from edge.settings.problems import SettingsFault
from tests.kit.signed import SHARED, SIGNING, held

PUBLIC = 'public_key = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="\n'
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
SOUND = f'id = "a"\nalgorithm = "ed25519"\n{PUBLIC}sites = "*"\n'
SHARED_SOUND = f'id = "b"\nalgorithm = "hmac-sha256"\nsecret = "{SECRET}"\nsites = ["shop"]\n'


def write(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def problems(folder: Path, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsFault) as raised:
        load_keys(folder, env=env or {})
    return [str(problem).replace(str(folder), "") for problem in raised.value.problems]


def test_each_file_is_a_key(tmp_path: Path):
    write(tmp_path, "a.toml", SOUND, 0o644)
    write(
        tmp_path,
        "b.toml",
        SHARED_SOUND + 'kinds = ["tag", "url"]\nstate = "revoked"\ncomment = "of the shop"\n',
    )
    write(tmp_path, "a.pem", "no key file")
    ring = load_keys(tmp_path, env={})
    a, b = ring.get("a"), ring.get("b")
    assert len(ring) == 2
    assert a is not None and len(a.material) == 32
    assert a.scope == Scope(None, ALL_KINDS, may_purge_everything=False)
    assert b is not None and b.material == b"secret-secret-secret-secret-secret"
    assert b.scope == Scope(frozenset({"shop"}), frozenset({ScopeKind.TAG, ScopeKind.URL}))
    assert (b.state, b.comment) == (KeyState.REVOKED, "of the shop")


def test_an_empty_folder_lets_nobody_in(tmp_path: Path):
    assert len(load_keys(tmp_path, env={})) == 0


def test_a_secret_can_come_from_the_environment(tmp_path: Path):
    write(tmp_path, "b.toml", SHARED_SOUND.replace(f'"{SECRET}"', '{ env = "KEY_B" }'), 0o644)
    key = load_keys(tmp_path, env={"KEY_B": SECRET}).get("b")
    assert key is not None
    assert key.material == b"secret-secret-secret-secret-secret"
    (said,) = problems(tmp_path, {})
    assert said == '/b.toml:3: secret: the environment has no "KEY_B"; set it before the start'


WRONG = [
    ("", ["the key has no id", "the key has no algorithm", "the key has no sites"]),
    (SOUND.replace('"a"', '"a b"'), [":1: id:"]),
    (SOUND.replace("ed25519", "none"), [':2: algorithm: "none" is not known here']),
    (SOUND.replace(PUBLIC, ""), ["a key for ed25519 has no public_key"]),
    (SOUND.replace("JrQL", "*"), [":3: public_key: it is no base64"]),
    (
        SOUND.replace(PUBLIC, f'secret = "{SECRET}"\n'),
        ["has no public_key", ":3: secret: a key for ed25519 has no secret"],
    ),
    (SHARED_SOUND.replace(SECRET, "c2hvcnQ="), [":3: secret: it has 5 bytes"]),
    (SHARED_SOUND + PUBLIC, [":5: public_key: a key for hmac-sha256 has no public_key"]),
    (SHARED_SOUND.replace(f'"{SECRET}"', "{ env = 1 }"), [":3: secret: the environment has no 1"]),
    (SHARED_SOUND.replace(f'"{SECRET}"', '{ file = "x" }'), [":3: secret: it is no base64"]),
    (SOUND + "scopes = 1\n", [":5: scopes: this is not known"]),
    (SOUND + 'state = "revokd"\n', ['did you mean "revoked"?']),
    (SOUND + "kinds = []\n", [":5: kinds: it has 0 elements"]),
    (SOUND + "not_after = 2026-11-24\n", [":5: not_after:"]),
    (
        SOUND + "not_before = 2026-11-24T00:00:00Z\nnot_after = 2026-11-23T00:00:00Z\n",
        [":6: not_after: it is before not_before"],
    ),
    (
        SHARED_SOUND + "may_purge_everything = true\n",
        [":5: may_purge_everything: everything is more than the sites"],
    ),
    ("id = ", [":1: this is no TOML"]),
    ("\x00", [":1: this is no TOML"]),
    (SOUND + "#\n" * (MAX_FILE_BYTES // 2), ["the file is too large"]),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[row[1][-1] for row in WRONG])
def test_every_problem_names_file_line_setting_and_remedy(tmp_path: Path, text: str, said: list[str]):
    write(tmp_path, "a.toml", text)
    found = problems(tmp_path)
    assert len(found) == len(said), found
    for line, part in zip(found, said, strict=True):
        assert line.startswith("/a.toml"), line
        assert part in line
        assert "; " in line
        assert SECRET not in line


def test_two_files_with_one_key_are_a_problem(tmp_path: Path):
    write(tmp_path, "a.toml", SOUND)
    write(tmp_path, "b.toml", SOUND)
    assert problems(tmp_path) == ["/b.toml: id: another file has the key a; give it another id"]


MODES = [
    (SHARED_SOUND, 0o600, None),
    (SHARED_SOUND, 0o640, None),
    (SHARED_SOUND, 0o644, "/k.toml:3: secret: everybody can read this secret; chmod o-r /k.toml"),
    (SHARED_SOUND, 0o602, "/k.toml: everybody can write this file; chmod o-w /k.toml"),
    (SOUND, 0o644, None),
    (SOUND, 0o664, None),
    (SOUND, 0o666, "/k.toml: everybody can write this file; chmod o-w /k.toml"),
]


@pytest.mark.parametrize(("text", "mode", "said"), MODES)
def test_a_key_is_not_everybodys(tmp_path: Path, text: str, mode: int, said: str | None):
    write(tmp_path, "k.toml", text, mode)
    if said is None:
        assert len(load_keys(tmp_path, env={})) == 1
    else:
        assert problems(tmp_path) == [said]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path):
    (said,) = problems(tmp_path / "none")
    assert said.startswith(": the folder of keys cannot be read: No such file or directory; name a folder")


def test_a_folder_has_its_bound(tmp_path: Path):
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.toml").touch()
    assert problems(tmp_path) == [f": there are too many files; allowed: {MAX_FILES}"]
    (tmp_path / "0.toml").unlink()
    assert "too many" not in problems(tmp_path)[0]


def test_what_is_no_file_is_a_problem(tmp_path: Path):
    (tmp_path / "a.toml").mkdir()
    (said,) = problems(tmp_path)
    assert "it is no regular file" in said


def test_a_file_that_goes_away_is_a_problem(tmp_path: Path):
    key, wrong = read_key_file(tmp_path / "gone.toml", env={})
    assert key is None
    assert "cannot be read" in wrong[0].wrong


KEYS = [
    held(SIGNING),
    held(SHARED),
    replace(held(SIGNING), scope=Scope(frozenset({"shop", "blog"}), frozenset({ScopeKind.SITE}))),
    replace(held(SIGNING), scope=Scope(may_purge_everything=True), comment='said "so"'),
    replace(held(SIGNING), state=KeyState.REVOKED, not_before=UnixSeconds(1e9), not_after=UnixSeconds(2e9)),
]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_what_is_written_is_read_as_the_same_key(tmp_path: Path, key: Key):
    assert read_key_file(write(tmp_path, "k.toml", written(key)), env={}) == (key, [])


@given(st.binary(max_size=60))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_file_are_a_problem_and_nothing_else(tmp_path: Path, data: bytes):
    file = tmp_path / "a.toml"
    file.write_bytes(data)
    key, wrong = read_key_file(file, env={})
    assert key is None
    assert wrong
