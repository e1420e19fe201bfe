"""Where `perigee roll` asks for a roll: a unix socket in the node's run folder, which only this user can enter.

Owns: `roll_app` and `serve_rolls` (the supervisor's end), `rolls_at`, and `roll_of` (who asks). What happens comes as it
happens: a line of JSON each, the last of which is `done` or `failed` (edge.server.rolling).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import ClientConnectionError, ClientError, ClientSession, ClientTimeout, UnixConnector, web

from edge.errors import EdgeError
from edge.server.rolling import Roller, Said
from edge.server.run_dir import folder_of
from edge.server.worker_admin import serve


def rolls_at(run_dir: Path) -> Path:
    """The socket."""
    return run_dir / "roll.sock"


def roll_app(roller: Roller) -> web.Application:
    """POST /roll."""

    async def roll(request: web.Request) -> web.StreamResponse:
        under_way, is_joined = roller.request()
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        async for said in under_way.follow():
            said = {**said, "joined": True} if said["event"] == "begun" and is_joined else said
            await answer.write(json.dumps(said).encode() + b"\n")
        return answer

    app = web.Application()
    app.add_routes([web.post("/roll", roll)])
    return app


async def serve_rolls(roller: Roller, run_dir: Path) -> web.AppRunner:
    """`cleanup()` of what is returned ends it. OSError."""
    return await serve(roll_app(roller), rolls_at(run_dir))


async def roll_of(data_dir: Path) -> AsyncIterator[Said]:
    """Have the node in `data_dir` roll, and hear of it. EdgeError where there is none, or where it is gone in the middle."""
    socket = rolls_at(folder_of(data_dir))
    connector = UnixConnector(str(socket))
    try:
        async with (
            ClientSession(connector=connector, timeout=ClientTimeout(total=None)) as session,
            session.post("http://node/roll") as answer,
        ):
            async for line in answer.content:
                yield json.loads(line)
    except (ClientConnectionError, FileNotFoundError) as error:
        raise EdgeError(
            f"no edge of this user answers at {socket}: {error.strerror if isinstance(error, OSError) else error}; "
            "name the data folder of one that runs with --data-dir or --config"
        ) from None
    except (ClientError, asyncio.IncompleteReadError, ValueError) as error:
        raise EdgeError(f"the node ended while it rolled: {error}") from None
