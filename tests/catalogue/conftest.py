"""One edge with all defaults and one origin a module; each case asks for targets of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from tests.kit.edge import Edge
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.yard import Yard


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """pytest-asyncio's hook: the loop an edge runs on. tests/server has what differs between loops."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def yard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Yard]:
    folder: Path = tmp_path_factory.mktemp("edge")
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, {"Cache-Control": "no-store"}, b"fine")
        async with Edge(folder, origin=origin.url) as edge:
            yield Yard(origin, edge)
