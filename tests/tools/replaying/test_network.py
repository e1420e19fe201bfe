"""The nodes of a replay are set up as an operator sets up a tier."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.load import load_node
from tools.replaying.access_lines import Line
from tools.replaying.network import SECRET, Room, TierNode, network
from tools.replaying.origin import SizedOrigin, Thing
from tools.replaying.player import Plan, play
from tools.replaying.tiers import Did

LOG = '[nats]\nurl = "nats://127.0.0.1:4222"'


def test_a_node_file_is_one_that_perigee_takes(tmp_path: Path):
    node = TierNode("edge-1", tmp_path / "e", origin=3000, tier='shields = ["127.0.0.1:9"]', log=LOG)
    settings = load_node(node.file)
    assert (settings.tier.secrets, len(settings.tier.shields)) == ((SECRET.encode(),), 1)
    assert settings.workers == 1


@pytest.mark.parametrize(
    ("memory", "disk", "capacity", "max_object", "on_disk"),
    [(None, None, 256, 4, 4096), ("16MiB", "off", 16, 4, None), ("2MiB", "1GiB", 2, 2, 1024)],
)
def test_a_node_has_the_room_that_it_is_given(
    tmp_path: Path, memory: str | None, disk: str | None, capacity: int, max_object: int, on_disk: int | None
):
    node = TierNode("edge-1", tmp_path / "e", origin=3000, room=Room.of(memory, disk))
    settings = load_node(node.file)
    mebi = 1024 * 1024
    assert (settings.memory.capacity, settings.memory.max_object) == (capacity * mebi, max_object * mebi)
    assert settings.disk.capacity == (None if on_disk is None else on_disk * mebi)


@pytest.mark.slow
async def test_an_edge_and_its_shield_answer_a_log(tmp_path: Path):
    origin = SizedOrigin({"/a": Thing(200, 1000)}, "max-age=60")
    line = Line("192.0.2.1", 0, "GET", "/a", 200, 1000)
    async with (
        origin.serving("127.0.0.1", 0) as port,
        network(tmp_path / "n", origin=port, edges=1, shields=1) as nodes,
    ):
        tally = await play([line] * 3, Plan(nodes.urls, "a.example", concurrency=1))
    assert tally.statuses == {200: 3}
    assert tally.tiers["edge-1"] == {Did.FORWARDED: 1, Did.HIT: 2}
    assert tally.tiers["shield-1"] == {Did.FORWARDED: 1}
    assert origin.counted.requests == 1
