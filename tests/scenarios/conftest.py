"""One default edge for all scenarios that do not need one of their own: a process costs a thousand times a request."""

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
    """One worker, all defaults."""
    async with World(tmp_path_factory.mktemp("edge"), origin=origin.url) as world:
        yield world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pair(origin: ScriptedOrigin, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Two workers, all defaults."""
    async with World(tmp_path_factory.mktemp("pair"), origin=origin.url, workers=2) as world:
        yield world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty(origin: ScriptedOrigin, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One worker that waits 0.4 s for an origin's first byte and 0.4 s between two reads."""
    config = site_file(origin.url, '[site.timeouts]\nfirst_byte = "400ms"\nbetween_bytes = "400ms"\n')
    async with World(tmp_path_factory.mktemp("hasty"), origin=None, config=config) as world:
        yield world


def site_file(origin: str, site: str = "", node: str = "") -> str:
    """A node file with one site for every host. site, node: further TOML for either."""
    return f'{node}\n[[site]]\nhostnames = ["*"]\norigins = ["{origin}"]\n{site}'
