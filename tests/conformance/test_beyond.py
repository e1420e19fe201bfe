"""Our own rows, for what http-cache-tests 0.4.5 does not cover or gets wrong, against a default edge."""

from collections import Counter

import pytest

from tests.conformance.rows import Row, hold
from tests.conformance.tables import ROWS
from tests.kit.origin import ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_a_default_edge_holds(row: Row, world: World, origin: ScriptedOrigin) -> None:
    await hold(row, world, origin)


async def test_every_row_has_a_path_of_its_own() -> None:
    """Else two rows would share a stored response."""
    assert [path for path, count in Counter(row.id for row in ROWS).items() if count > 1] == []
