"""What docs/purging.md says of other programs is true: its signer signs, its members are all there are."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.server.purge_openapi import openapi
from tests.kit.clock import ManualClock
from tests.kit.desks import ALL, Office, urls
from tests.kit.purge_apis import purge_api

PAGE = (Path(__file__).parents[2] / "docs" / "purging.md").read_text(encoding="utf-8")


async def test_the_signer_of_the_page_signs():
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said: dict[str, Any] = {}
    exec(program, said)
    key = Ed25519PrivateKey.from_private_bytes(ALL.private)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    office = Office()
    office.clock = ManualClock(now=time.time())
    async with purge_api(office) as node:
        url = node.private + "/v1/purges?wait=global&timeout=0s"
        answer = await asyncio.to_thread(said["purge"], url, json.dumps(urls(1)).encode(), pem, ALL.id)
        assert json.loads(answer)["id"] == office.log.stored[0].order.id


def test_every_member_of_a_purge_stands_on_the_page():
    members = openapi()["components"]["schemas"]["Purge"]["properties"]
    assert [name for name in members if f"`{name}`" not in PAGE] == []


def test_every_path_stands_on_the_page():
    paths = [path for path in openapi()["paths"] if "{url}" not in path]
    said = PAGE.replace("/v1/purges/ID", "/v1/purges/{id}")
    assert [path for path in paths if path not in said] == []
