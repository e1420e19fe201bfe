"""Purges of a World through its signed API, and an origin whose pages have versions.

async with ScriptedOrigin() as origin, purgeable(tmp_path, origin.url) as world:
pages = Pages(origin)
answer = await purge(world, {"urls": ["http://shop.example/a"]})
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.purge.signing.key_files import written
from edge.purge.signing.keys import Key, Scope
from edge.purge.signing.private_keys import material_of, write_private
from edge.purge.signing.sign import request_to, sign
from edge.semantics.message import Fields
from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.origin import Gate, OriginRequest, ScriptedOrigin
from tests.kit.origin_connection import OriginConnection
from tests.kit.signed import SIGNING
from tests.kit.world import World

SITE = """
[[site]]
name = "{name}"
hostnames = ["{name}.example"]
origins = ["{origin}"]
{more}
"""


def purgeable(
    directory: Path, origin: str, *, workers: int = 2, node: str = "", sites: Mapping[str, str] | None = None
) -> World:
    """A world with a key that may purge everything. node: more of its file; sites: by name, more of each; host NAME.example."""
    keys = directory / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    held = Key(SIGNING.id, SIGNING.algorithm, material_of(SIGNING), Scope(may_purge_everything=True))
    write_private(keys / "deploy.toml", written(held))
    config = f'sites = []\n[log]\naccess = "off"\n[purge]\nkeys = "{keys}"\n{node}'
    for name, more in (sites or {"shop": ""}).items():
        config += SITE.format(name=name, origin=origin, more=more)
    return World(directory / "node", origin=None, config=config, workers=workers)


async def purge(
    world: World,
    said: Mapping[str, Any],
    *,
    query: str = "?wait=global&timeout=10s",
    idempotency: str | None = None,
    within: float = 15.0,
) -> Answer:
    """Order it, signed; by default wait until all nodes have applied it. Its JSON: `answer_of`."""
    body = json.dumps(said).encode()
    fields = Fields(((b"Content-Type", b"application/json"),))
    if idempotency is not None:
        fields = fields.with_added((b"Idempotency-Key", idempotency.encode()))
    target = f"/v1/purges{query}"
    message = request_to(f"http://127.0.0.1:{world.admin_port}{target}", fields=fields, body=body)
    lines = (*fields, *sign(message, SIGNING, now=time.time(), nonce=secrets.token_urlsafe(18)))
    headers = [(name.decode(), value.decode("latin-1")) for name, value in lines]
    async with await RawClient.connect("127.0.0.1", world.admin_port) as client:
        return await client.request("POST", target, headers, body, within=within)


def answer_of(answer: Answer) -> dict[str, Any]:
    """Its JSON."""
    said: dict[str, Any] = json.loads(answer.body)
    return said


@dataclass
class Pages:
    """Every path of an origin, with one version for all; `held` paths are answered late with the version they were asked at."""

    origin: ScriptedOrigin
    version: int = 1
    held: dict[str, Gate] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.origin.default = self._answer

    async def _answer(self, request: OriginRequest, connection: OriginConnection) -> None:
        version = self.version
        if request.path in self.held:
            await self.held[request.path].passed()
        tag = f'"{version}"'
        said = {"Cache-Control": "max-age=3600", "ETag": tag, **self.fields}
        if request.header("If-None-Match") == tag.encode():
            await connection.send_response(304, said)
        else:
            await connection.send_response(200, said, b"%d" % version)

    def hold(self, path: str) -> Gate:
        """Answers for this path wait at the gate, with the version of when they were asked for."""
        gate = self.held[path] = Gate(path)
        return gate


async def versions(world: World, path: str, host: str = "shop.example", *, times: int = 8) -> set[int]:
    """What so many connections of their own get, which meet all workers."""
    answers = [await world.get(path, {"Host": host, "Accept-Language": "fr"}) for _ in range(times)]
    assert {answer.status for answer in answers} == {200}, [answer.status for answer in answers]
    return {int(answer.body) for answer in answers}
