"""Who asks for a roll hears what happens as it happens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web

from edge.errors import EdgeError
from edge.server.rolling import Roll, Roller
from edge.server.rolling_door import roll_of, rolls_at, serve_rolls
from edge.server.run_dir import folder_of
from edge.server.worker_admin import serve


class Rolls:
    """A roller whose one roll the test tells."""

    def __init__(self) -> None:
        self.roll = Roll()
        self.asked = 0

    def request(self) -> tuple[Roll, bool]:
        self.asked += 1
        return self.roll, self.asked > 1


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = folder_of(tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def test_it_is_told_while_it_happens_and_to_all_who_ask(tmp_path: Path, run_dir: Path):
    rolls = Rolls()
    runner = await serve_rolls(cast("Roller", rolls), run_dir)
    try:
        assert rolls_at(run_dir).stat().st_mode & 0o777 == 0o600
        rolls.roll.say({"event": "begun", "workers": 2})
        one, other = roll_of(tmp_path), roll_of(tmp_path)
        assert await anext(one) == {"event": "begun", "workers": 2}
        assert await anext(other) == {"event": "begun", "workers": 2, "joined": True}
        rolls.roll.say({"event": "done"})
        assert [said async for said in one] == [said async for said in other] == [{"event": "done"}]
    finally:
        await runner.cleanup()


async def test_without_a_node_it_is_said_what_to_name(tmp_path: Path):
    with pytest.raises(EdgeError, match="--data-dir"):
        await asyncio.wait_for(anext(roll_of(tmp_path)), 5)


async def test_a_node_that_ends_in_the_middle_is_a_fault(tmp_path: Path, run_dir: Path):
    async def broken_off(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b'{"event": "begun"}\n')
        assert request.transport is not None
        request.transport.abort()
        return answer

    app = web.Application()
    app.add_routes([web.post("/roll", broken_off)])
    runner = await serve(app, rolls_at(run_dir))
    try:
        with pytest.raises(EdgeError, match="ended while it rolled"):
            assert [said async for said in roll_of(tmp_path)] == []
    finally:
        await runner.cleanup()
