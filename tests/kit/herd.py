"""Many clients that want the same at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.origin_connection import HeadersLike
from tests.kit.world import World


@asynccontextmanager
async def herd(
    world: World, count: int, target: str, headers: HeadersLike = ()
) -> AsyncIterator[list[RawClient]]:
    """`count` connections, each with a GET on its way; whoever uses it reads the answers."""
    async with AsyncExitStack() as open_clients:
        clients = [await open_clients.enter_async_context(await world.client()) for _ in range(count)]
        for client in clients:
            await client.send_request("GET", target, headers)
        yield clients


async def answers(clients: list[RawClient]) -> list[Answer]:
    """The whole answer of each, read at the same time."""
    return await asyncio.gather(*(client.read_answer() for client in clients))


async def followed(world: World, count: int) -> None:
    """Wait until that many requests wait for the fill of another."""
    await world.wait_metric("perigee_fills_followed", count)
