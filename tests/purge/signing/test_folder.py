"""A running node takes new keys, drops revoked ones, and keeps the old ones when a file is bad."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from edge.measures import Measures
from edge.purge.signing.folder import KeyFolder
from edge.purge.signing.key_files import written
from edge.purge.signing.keys import Key, KeyState
from edge.settings.problems import SettingsFault
from edge.tasks import TaskOwner
from tests.kit.signed import OTHER, SHARED, SIGNING, held
from tests.kit.waiting import until


def put(folder: Path, key: Key, text: str | None = None) -> Path:
    file = folder / f"{key.id}.toml"
    file.write_text(written(key) if text is None else text, encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.fixture
def measures() -> Measures:
    return Measures()


@pytest.fixture
def keys(tmp_path: Path, measures: Measures) -> KeyFolder:
    put(tmp_path, held(SIGNING))
    put(tmp_path, held(SHARED))
    return KeyFolder.load(tmp_path, measures=measures, env={})


async def look(keys: KeyFolder, times: int = 2) -> None:
    for _ in range(times):
        await keys.look()


def ids(keys: KeyFolder) -> list[str]:
    return sorted(key.id for key in keys.ring)


def test_the_keys_are_there_from_the_start(keys: KeyFolder, measures: Measures):
    assert ids(keys) == ["deploy", "shared"]
    assert measures.keys.of("active").value == 2
    assert keys.complaint() is None


def test_bad_keys_end_the_start(tmp_path: Path, measures: Measures):
    put(tmp_path, held(SIGNING), "id = 1\n")
    with pytest.raises(SettingsFault):
        KeyFolder.load(tmp_path, measures=measures, env={})


async def test_files_that_do_not_change_are_not_read_again(keys: KeyFolder, measures: Measures):
    ring = keys.ring
    await look(keys, 3)
    assert keys.ring is ring
    assert measures.key_reloads.of("taken").value == 0


async def test_a_new_key_is_taken_when_its_file_has_come_to_rest(keys: KeyFolder):
    put(keys.folder, held(OTHER))
    await look(keys, 1)
    assert "other" not in ids(keys)
    await look(keys, 1)
    assert "other" in ids(keys)


async def test_a_revoked_key_is_known_as_such_without_a_restart(keys: KeyFolder, measures: Measures):
    put(keys.folder, replace(held(SIGNING), state=KeyState.REVOKED))
    await look(keys)
    key = keys.ring.get("deploy")
    assert key is not None
    assert key.state is KeyState.REVOKED
    assert (measures.keys.of("active").value, measures.keys.of("revoked").value) == (1, 1)


async def test_a_key_whose_file_is_taken_away_is_gone(keys: KeyFolder):
    (keys.folder / "deploy.toml").unlink()
    await look(keys)
    assert ids(keys) == ["shared"]


async def test_a_bad_file_leaves_the_old_keys_in_force_and_is_said(
    keys: KeyFolder, measures: Measures, caplog: pytest.LogCaptureFixture
):
    (keys.folder / "shared.toml").unlink()
    put(keys.folder, held(OTHER), "id = 1\nalgorithm = 1\n")
    with caplog.at_level(logging.ERROR):
        await look(keys)
    assert ids(keys) == ["deploy", "shared"]
    assert measures.key_reloads.of("refused").value == 1
    complaint = keys.complaint() or ""
    assert "older keys are in force" in complaint
    assert "other.toml" in complaint
    assert "and 3 more" in complaint
    assert [record.message for record in caplog.records][-1] == "keys refused; the old ones stay in force"
    put(keys.folder, held(OTHER))
    await look(keys)
    assert ids(keys) == ["deploy", "other"]
    assert keys.complaint() is None


async def test_what_is_revoked_is_revoked_beside_a_bad_file_too(keys: KeyFolder, measures: Measures):
    put(keys.folder, held(OTHER), "id = 1\n")
    await look(keys)
    put(keys.folder, replace(held(SIGNING), state=KeyState.REVOKED))
    await look(keys)
    states = {key.id: key.state for key in keys.ring}
    assert states == {"deploy": KeyState.REVOKED, "shared": KeyState.ACTIVE}
    assert measures.keys.of("revoked").value == 1
    assert keys.complaint() is not None


async def test_a_mode_that_is_put_right_is_noticed(keys: KeyFolder):
    file = put(keys.folder, held(OTHER))
    file.chmod(0o666)
    await look(keys)
    assert keys.complaint() is not None
    file.chmod(0o600)
    await look(keys)
    assert keys.complaint() is None
    assert "other" in ids(keys)


async def test_a_folder_that_goes_away_leaves_the_keys_in_force(keys: KeyFolder):
    keys.folder.rename(keys.folder.with_name("elsewhere"))
    await look(keys)
    assert ids(keys) == ["deploy", "shared"]
    assert "cannot be read" in (keys.complaint() or "")
    keys.folder.with_name("elsewhere").rename(keys.folder)
    await look(keys)
    assert keys.complaint() is None


async def test_it_looks_by_itself(keys: KeyFolder, measures: Measures):
    async def were_taken() -> bool:
        return measures.key_reloads.of("taken").value > 0

    async with TaskOwner("test") as owner:
        owner.spawn(keys.run(period=0.001), name="keys")
        put(keys.folder, held(OTHER))
        await until(were_taken, every=0.001)
    assert "other" in ids(keys)
