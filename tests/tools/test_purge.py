"""`perigee purge` orders what it was asked to, signed, and says how far it has come."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import ConfigFault, UpstreamFault
from edge.purge.signing.private_keys import pem, write_private
from tests.kit.purge_node import STATUS_URL, PurgeNode, receipt
from tests.kit.signed import SIGNING
from tools.purge import Asked, run

HERE, THERE = ("a", "eu"), ("b", "us")


@pytest.fixture
async def node():
    async with PurgeNode() as node:
        yield node


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "deploy.pem"
    write_private(file, pem(SIGNING))
    return file


async def purged(asked: Asked, *, to_json: bool = False) -> int:
    return await asyncio.to_thread(run, asked, to_json=to_json)


async def test_it_is_ordered_and_signed(node: PurgeNode, key: Path, capsys: pytest.CaptureFixture[str]):
    asked = Asked(node.url, key, urls=["http://a.example/x"], soft=True, note="ticket 5")
    assert await purged(asked) == 0
    assert node.asked == [
        ("POST", "/v1/purges", {"urls": ["http://a.example/x"], "soft": True, "note": "ticket 5"})
    ]
    assert node.verified == [True]
    assert capsys.readouterr().out == f"ordered n1 at 7; see {node.url}{STATUS_URL}\n"


BODIES = [
    (Asked("", None, tags=["a", "b"], site="shop"), {"tags": ["a", "b"], "site": "shop"}),
    (Asked("", None, site="shop"), {"sites": ["shop"]}),
    (
        Asked("", None, prefixes=["a.example/x"], hosts=["b.example"]),
        {"prefixes": ["a.example/x"], "hosts": ["b.example"]},
    ),
    (Asked("", None, everything=True), {"everything": True}),
]


@pytest.mark.parametrize(("asked", "body"), BODIES)
def test_each_way_to_name_something_has_its_member(asked: Asked, body: dict[str, object]):
    assert asked.body() == body


async def test_it_waits_until_every_live_node_has_it(
    node: PurgeNode, key: Path, capsys: pytest.CaptureFixture[str]
):
    node.receipts = [
        receipt(pending=(HERE, THERE)),
        receipt(applied=(HERE,), pending=(THERE,)),
        receipt(applied=(HERE, THERE), away=(("c", "us"),)),
    ]
    node.failures = 1
    assert await purged(Asked(node.url, key, everything=True, wait="global")) == 0
    assert [target for _, target, _ in node.asked] == [
        "/v1/purges?wait=global&timeout=0s",
        *[STATUS_URL] * 3,
    ]
    assert all(node.verified)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["a", "eu", "applied", "12", "ms"]
    assert lines[3].split() == ["c", "us", "away", "silent", "60.0", "s"]
    assert lines[-2:] == ["us: 1 of 1 live nodes, 1 away", "n1: in force everywhere"]


async def test_it_waits_for_one_region_only(node: PurgeNode, key: Path, capsys: pytest.CaptureFixture[str]):
    node.receipts = [
        receipt(pending=(HERE,), region="eu"),
        receipt(applied=(HERE,), pending=(THERE,)),
    ]
    assert await purged(Asked(node.url, key, everything=True, wait="region"), to_json=True) == 0
    said = json.loads(capsys.readouterr().out)["receipt"]
    assert said["done"]
    assert [one["node"] for one in said["applied"] + said["pending"]] == ["a"]


async def test_what_is_not_everywhere_in_time_is_a_failure(
    node: PurgeNode, key: Path, capsys: pytest.CaptureFixture[str]
):
    node.receipts = [receipt(applied=(HERE,), pending=(THERE,))]
    assert await purged(Asked(node.url, key, everything=True, wait="global", seconds=0.0)) == 1
    assert "not yet in force everywhere" in capsys.readouterr().out


DRY = {
    "dry_run": True,
    "total": {"objects": 5, "bytes": 300, "hot_objects": 2, "complete": False},
    "nodes": [{"node": "a", "objects": 5, "bytes": 300, "hot_objects": 2, "complete": False}],
    "silent": ["b"],
}


async def test_a_dry_run_counts_and_orders_nothing(
    node: PurgeNode, key: Path, capsys: pytest.CaptureFixture[str]
):
    node.told["/v1/purges?dry_run=1"] = DRY
    assert await purged(Asked(node.url, key, everything=True, dry_run=True)) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1] == ["a", "5", "300", "2", "at", "least"]
    assert rows[2] == ["b", "-", "-", "-", "does", "not", "answer"]
    assert [target for _, target, _ in node.asked] == ["/v1/purges?dry_run=1"]


REFUSALS = [
    ("asked wrongly", 422, 2),
    ("malformed", 400, 2),
    ("too large", 413, 2),
    ("not allowed", 403, 1),
    ("too fast", 429, 1),
    ("no log", 503, 1),
]


@pytest.mark.parametrize(
    ("status", "code"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
async def test_a_refusal_is_said_in_the_nodes_words(
    node: PurgeNode, key: Path, status: int, code: int, capsys: pytest.CaptureFixture[str]
):
    said = {"reason": "bad-url", "detail": "it is no URL", "instead": "write one"}
    node.refuse = (status, said)
    asked = Asked(node.url, key, everything=True)
    assert await purged(asked) == code
    assert capsys.readouterr().err == "perigee: bad-url: it is no URL; write one\n"
    assert await purged(asked, to_json=True) == code
    assert json.loads(capsys.readouterr().out) == said


async def test_who_has_no_key_is_told_what_it_takes(node: PurgeNode, capsys: pytest.CaptureFixture[str]):
    node.refuse = (401, {"reason": "no-signature", "detail": "it is not signed"})
    assert await purged(Asked(node.url, None, everything=True)) == 1
    assert "--key" in capsys.readouterr().err
    assert node.verified == [False]


WRONG = [
    ("nothing is named", Asked("http://127.0.0.1:1", None), "nothing is named"),
    ("another wait", Asked("http://127.0.0.1:1", None, everything=True, wait="mars"), "--wait global"),
    (
        "a dry run that waits",
        Asked("http://127.0.0.1:1", None, everything=True, wait="global", dry_run=True),
        "leave out --wait",
    ),
    ("no key file", Asked("http://127.0.0.1:1", Path("nowhere.pem"), everything=True), "nowhere.pem"),
]


@pytest.mark.parametrize(("asked", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_asked_wrongly_is_said_before_anything_is_sent(asked: Asked, words: str):
    with pytest.raises(ConfigFault, match=words):
        run(asked, to_json=False)


async def test_nobody_there_is_an_error(key: Path):
    with pytest.raises(UpstreamFault, match="127.0.0.1:1"):
        await purged(replace(Asked("http://127.0.0.1:1", key), everything=True))
