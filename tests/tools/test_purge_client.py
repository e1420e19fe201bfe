"""What the command line sends is what it signed, and what it gets is JSON or an error."""

from __future__ import annotations

import pytest

from edge.errors import ConfigFault, UpstreamFault
from tests.kit.purge_node import PurgeNode
from tests.kit.signed import SHARED, SIGNING
from tools.purge_client import PurgeClient, Refused


@pytest.fixture
async def node():
    async with PurgeNode() as node:
        yield node


@pytest.mark.parametrize("key", [SIGNING, SHARED], ids=["ed25519", "hmac"])
async def test_every_request_is_signed(node: PurgeNode, key):
    async with PurgeClient(node.url + "/", key) as client:
        await client.post("/v1/purges?wait=global&timeout=0s", {"everything": True})
        await client.get("/v1/purges/n1")
        await client.get("/v1/purges/n1")
    assert node.verified == [True] * 3


async def test_without_a_key_nothing_is(node: PurgeNode):
    async with PurgeClient(node.url) as client:
        assert (await client.get("/v1/purges/n1"))["id"] == "n1"
    assert node.verified == [False]


async def test_a_refusal_is_raised(node: PurgeNode):
    node.refuse = (409, {"title": "Conflict", "reason": "replayed"})
    async with PurgeClient(node.url) as client:
        with pytest.raises(Refused, match="replayed: Conflict") as refused:
            await client.post("/v1/purges", {})
    assert not refused.value.is_misuse


@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", b"\xff"])
async def test_what_is_no_json_is_no_node(node: PurgeNode, said: bytes):
    node.told["/v1/nodes"] = said
    async with PurgeClient(node.url) as client:
        with pytest.raises(UpstreamFault, match="no JSON"):
            await client.get("/v1/nodes")


@pytest.mark.parametrize("api", ["127.0.0.1:8081", "ftp://a.example", "http://"])
async def test_what_is_no_url_is_said(api: str):
    with pytest.raises(ConfigFault, match="no URL"):
        async with PurgeClient(api):
            pass
