"""One default edge for all rows of this folder, with one worker and with two: starting it costs a thousand rows.

Two workers share one listening port, so which of them a turn meets is chance; what they hold together must be one cache.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.kit.origin import ScriptedOrigin
from tests.kit.world import World


@pytest.fixture(scope="session", params=[1, 2], ids=["one-worker", "two-workers"])
def workers(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def origin(workers: int) -> AsyncIterator[ScriptedOrigin]:
    """One for each edge: rows look at what it has seen since the beginning."""
    async with ScriptedOrigin() as origin:
        yield origin


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(
    origin: ScriptedOrigin, workers: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with World(tmp_path_factory.mktemp("edge"), origin=origin.url, workers=workers) as world:
        yield world
