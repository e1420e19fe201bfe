"""What the purge API tells: of any purge, on any node, to whom it may."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kit.desks import SHOPS, urls
from tests.kit.purge_apis import ApiNode, purge_api

ONE = urls(1)


@pytest.fixture
async def node() -> AsyncIterator[ApiNode]:
    async with purge_api() as node:
        yield node


async def test_any_node_tells_how_far_a_purge_of_another_has_come(node: ApiNode):
    async with purge_api(node.office) as other:
        ordered = await other.post({**ONE, "note": "release 7", "soft": True})
    node.fleet.hear("fra-1", 1)
    node.fleet.hear("fra-2", 0)
    answer = await node.get(ordered.said["status_url"])
    assert answer.status == 200
    told = {name: answer.said[name] for name in ("seq", "by", "note", "soft", "items")}
    assert told == {
        "seq": 1,
        "by": "all",
        "note": "release 7",
        "soft": True,
        "items": [{"url": "https://shop.example/0"}],
    }
    receipt = answer.said["receipt"]
    assert [one["node"] for one in receipt["applied"]] == ["fra-1"]
    assert [one["node"] for one in receipt["pending"]] == ["fra-2"]


async def test_the_history_is_told_page_by_page_newest_first(node: ApiNode):
    for number in range(5):
        await node.post(urls(12, number))
    seqs: list[int] = []
    target: str | None = "/v1/purges?limit=2"
    while target is not None:
        page = (await node.get(target)).said
        seqs += [one["seq"] for one in page["purges"]]
        assert all((one["accepted"], len(one["items"])) == (12, 10) for one in page["purges"])
        target = page["next"]
    assert seqs == [5, 4, 3, 2, 1]


async def test_nodes_are_told_as_the_fleet_has_them(node: ApiNode):
    node.fleet.hear("fra-1", 1)
    answer = await node.get("/v1/nodes")
    assert answer.said == {"surveyed": True, "nodes": [{"node": "fra-1", "live": True}]}


@pytest.mark.parametrize("path", ["/v1/purges", "/v1/purges/n0", "/v1/nodes"])
async def test_reading_is_free_on_the_admin_address_and_signed_on_the_other(node: ApiNode, path: str):
    assert (await node.get(path)).status in {200, 404}
    assert (await node.get(path, base=node.public)).reason == "no-signature"
    assert (await node.get(path, base=node.public, key=SHOPS)).status in {200, 404}


async def test_who_reads_without_the_log_is_told_so(node: ApiNode):
    node.office.log.silent = True
    assert (await node.get("/v1/purges")).reason == "log-unavailable"


async def test_the_document_is_for_everybody(node: ApiNode):
    assert (await node.get("/v1/openapi.json", base=node.public)).said["openapi"] == "3.1.0"
