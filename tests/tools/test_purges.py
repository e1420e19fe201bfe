"""`perigee purges` and `perigee nodes` say what a node tells."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.kit.purge_node import PurgeNode
from tools.purges import nodes, purges

PURGE = {
    "id": "n1",
    "seq": 7,
    "at": 1_795_478_400.0,
    "by": "deploy",
    "soft": True,
    "note": "ticket 5",
    "accepted": 5,
    "items": [{"site": "shop", "tag": str(number)} for number in range(5)],
}
NODE: dict[str, Any] = {
    "node": "a",
    "region": "eu",
    "pop": None,
    "role": "edge",
    "version": "0.1.0",
    "live": True,
    "ready": True,
    "contested": False,
    "silent": 0.2,
    "applied": 7,
    "behind": 0,
    "proof_age": 0.5,
    "workers": 2,
    "load": 0.25,
}


@pytest.fixture
async def node():
    async with PurgeNode() as node:
        yield node


async def shown(node: PurgeNode, *, to_json: bool = False) -> int:
    return await asyncio.to_thread(nodes, node.url, key=None, keyid=None, to_json=to_json)


async def test_purges_are_listed(node: PurgeNode, capsys: pytest.CaptureFixture[str]):
    node.told["/v1/purges?limit=5"] = {"purges": [PURGE], "next": None}
    assert await asyncio.to_thread(purges, node.url, 5, key=None, keyid=None, to_json=False) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith("2026-11-24T00:00:00Z  7    deploy  soft: shop 0, shop 1, shop 2, 2 more")
    assert await asyncio.to_thread(purges, node.url, 5, key=None, keyid=None, to_json=True) == 0
    assert json.loads(capsys.readouterr().out)["purges"] == [PURGE]


STATES = [
    ("ready", {}, "ready", 0),
    ("unready", {"ready": False, "proof_age": None}, "not ready", 1),
    ("silent", {"live": False, "ready": False, "silent": 60.0}, "away for 60 s", 1),
    ("contested", {"contested": True}, "two nodes have this name", 1),
]


@pytest.mark.parametrize(
    ("more", "words", "code"), [case[1:] for case in STATES], ids=[case[0] for case in STATES]
)
async def test_nodes_are_listed_and_what_is_wrong_with_one_is_a_failure(
    node: PurgeNode, more: dict[str, Any], words: str, code: int, capsys: pytest.CaptureFixture[str]
):
    node.told["/v1/nodes"] = {"surveyed": code == 0, "nodes": [{**NODE, **more}]}
    assert await shown(node) == code
    said = capsys.readouterr().out
    assert words in said
    assert ("listened" in said) == (code == 1)
    assert await shown(node, to_json=True) == code
    assert json.loads(capsys.readouterr().out)["nodes"][0]["node"] == "a"
