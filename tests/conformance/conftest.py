"""One default edge for all rows of this folder: starting a process costs a thousand times what a row does."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.kit.origin import ScriptedOrigin
from tests.kit.world import World


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        yield origin


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(origin: ScriptedOrigin, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with World(tmp_path_factory.mktemp("edge"), origin=origin.url) as world:
        yield world
