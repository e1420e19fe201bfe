"""Where purges are ordered: three doors to one desk, closed until the log keeps what it acknowledges."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.purge.log import LogUnavailable
from edge.purge.signing.key_files import written
from edge.purge.signing.keys import Key, Scope
from edge.purge.signing.private_keys import material_of, pem, write_private
from edge.server.purge_counter import KEYS, Serving
from edge.server.purging import Purging, purging
from edge.settings.node import ListenAddress, NodeSettings, PurgeSettings
from edge.settings.problems import SettingsFault
from tests.kit.signed import SIGNING
from tests.kit.waiting import until
from tests.server.test_purging import ORDER, ground, settings
from tools.ports import free_ports
from tools.purge import Asked, run

pytestmark = pytest.mark.slow
ALL = Key(SIGNING.id, SIGNING.algorithm, material_of(SIGNING), Scope(may_purge_everything=True))


@asynccontextmanager
async def begun(tmp_path: Path, node: NodeSettings) -> AsyncIterator[Purging]:
    async with purging(ground(tmp_path, node, Serving((), ready=True, addresses=()))) as purges:
        yield purges


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def node(tmp_path: Path, port: int) -> NodeSettings:
    """A node that takes purges of one key on an address of its own."""
    keys = tmp_path / "data" / KEYS
    keys.mkdir(parents=True)
    write_private(keys / "deploy.toml", written(ALL))
    write_private(tmp_path / "deploy.pem", pem(SIGNING))
    return replace(settings(tmp_path), purge=PurgeSettings(listen=ListenAddress("127.0.0.1", port)))


async def purged(tmp_path: Path, port: int, **asked: Any) -> int:
    said = Asked(f"http://127.0.0.1:{port}", tmp_path / "deploy.pem", everything=True, **asked)
    return await asyncio.to_thread(run, said, to_json=True)


async def is_current(purges: Purging) -> None:
    async def takes() -> bool:
        return purges.follower.caught_up.is_set() and purges.fleet.surveyed and purges.counter.desk._recalled

    await until(takes)


async def test_a_purge_is_taken_on_purge_listen_and_is_everywhere(
    tmp_path: Path, node: NodeSettings, port: int, capsys: pytest.CaptureFixture[str]
):
    async with begun(tmp_path, node) as purges:
        await is_current(purges)
        assert await purged(tmp_path, port, wait="global") == 0
        said = json.loads(capsys.readouterr().out)
        assert said["receipt"]["done"]
        assert purges.counter.desk.recent.get(said["id"]) is not None


async def test_while_the_log_is_not_known_to_keep_things_nothing_is_taken(
    tmp_path: Path, node: NodeSettings, port: int, capsys: pytest.CaptureFixture[str]
):
    async with begun(tmp_path, node) as purges:
        await is_current(purges)
        purges.counter.log.is_open = False
        with pytest.raises(LogUnavailable):
            await purges.counter.log.append(ORDER)
        assert await purged(tmp_path, port) == 1
        assert json.loads(capsys.readouterr().out)["status"] == 503


async def test_keys_that_are_bad_end_the_start(tmp_path: Path, node: NodeSettings):
    (tmp_path / "data" / KEYS / "bad.toml").write_text("nonsense")
    with pytest.raises(SettingsFault, match=r"bad\.toml"):
        async with begun(tmp_path, node):
            pass


async def test_without_keys_the_folder_for_them_is_made(tmp_path: Path):
    async with begun(tmp_path, settings(tmp_path)) as purges:
        assert (tmp_path / "data" / KEYS).is_dir()
        assert purges.counter.complaint() is None
