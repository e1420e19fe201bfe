"""What a roll looks like to who asked for it, and what it exits with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from edge.errors import EdgeError
from edge.server.rolling_door import rolls_at
from edge.server.run_dir import folder_of
from edge.server.worker_admin import serve
from edge.settings.problems import SettingsFault
from tools import roll

BEGUN: Mapping[str, object] = {"event": "begun", "workers": 2}
LEAVING: Mapping[str, object] = {"event": "leaving", "worker": 0, "pid": 7, "steered": True}
SERVING: Mapping[str, object] = {"event": "serving", "worker": 0, "pid": 8, "seconds": 1.23}
DONE: Mapping[str, object] = {"event": "done", "workers": 2, "seconds": 2.5}
FAILED: Mapping[str, object] = {"event": "failed", "why": "no"}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (BEGUN, "replacing 2 workers"),
        ({**BEGUN, "joined": True}, "a roll of 2 workers is under way already"),
        (LEAVING, "worker 0 (process 7) finishes what it has"),
        (
            {**LEAVING, "steered": False},
            "worker 0 (process 7) finishes what it has; connections wait for its successor",
        ),
        (SERVING, "worker 0 (process 8) serves, after 1.2 s"),
        (DONE, "2 workers replaced in 2.5 s"),
        ({**DONE, "workers": 1}, "1 worker replaced in 2.5 s"),
        (FAILED, "failed: no"),
        ({"event": "resting"}, "resting"),
    ],
)
def test_a_line_for_each_thing_that_happens(said: Mapping[str, object], line: str):
    assert roll.line_of(said) == line


@pytest.mark.parametrize(("last", "code"), [(DONE, 0), (FAILED, 1), (None, None)])
@pytest.mark.parametrize("to_json", [True, False])
async def test_the_last_thing_is_what_it_exits_with(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    last: Mapping[str, object] | None,
    code: int | None,
    to_json: bool,
):
    events = [BEGUN, LEAVING] + ([] if last is None else [last])
    runner = await _node(tmp_path, events)
    shown = json.dumps if to_json else roll.line_of
    try:
        if code is None:
            with pytest.raises(EdgeError, match="ended while"):
                await roll._roll(tmp_path, shown)
        else:
            assert await roll._roll(tmp_path, shown) == code
    finally:
        await runner.cleanup()
    assert capsys.readouterr().out.splitlines() == [shown(event) for event in events]


async def _node(data_dir: Path, events: Sequence[Mapping[str, object]]) -> web.AppRunner:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=b"".join(json.dumps(event).encode() + b"\n" for event in events))

    app = web.Application()
    app.add_routes([web.post("/roll", answer)])
    run_dir = folder_of(data_dir)
    shutil.rmtree(run_dir, ignore_errors=True)
    run_dir.mkdir(parents=True)
    return await serve(app, rolls_at(run_dir))


def test_the_node_file_says_where_the_node_is(tmp_path: Path):
    file = tmp_path / "edge.toml"
    site = '[[site]]\nhostnames = ["a"]\norigins = ["http://127.0.0.1:1"]\n'
    file.write_text(f'[node]\ndata_dir = "here"\n{site}')
    with pytest.raises(EdgeError, match="here/run|perigee-[0-9]"):
        roll.run(file, None, to_json=False)
    with pytest.raises(EdgeError, match="other/run|perigee-[0-9]"):
        roll.run(file, str(tmp_path / "other"), to_json=False)
    file.write_text("[nod]")
    with pytest.raises(SettingsFault):
        roll.run(file, None, to_json=False)
