"""`perigee purge`: order a purge, and watch it arrive.

Owns: the order of things and the exit code: 0 = ordered (with --wait: applied by every live node), 1 = refused, or not
everywhere in time, 2 = asked wrongly. With --wait the node is asked again and again how far the purge has come, so that there
is something to see; `tools.purge_progress` shows it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ConfigFault, UpstreamFault
from edge.purge.signing.private_keys import read_private
from tools.purge_client import PurgeClient, Refused
from tools.purge_progress import Progress, as_lines, counted_lines, scope_of

LOOK_SECONDS = 0.1
FAILED, MISUSED = 1, 2
WAITS = ("global", "region")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be purged, and how. wait: None, "global" or "region". seconds: how long it may take to arrive."""

    api: str
    key: Path | None
    keyid: str | None = None
    urls: Sequence[str] = ()
    tags: Sequence[str] = ()
    site: str | None = None
    """Whose tags; without tags, the site itself."""
    prefixes: Sequence[str] = ()
    hosts: Sequence[str] = ()
    everything: bool = False
    soft: bool = False
    note: str = ""
    wait: str | None = None
    seconds: float = 30.0
    dry_run: bool = False

    def body(self) -> dict[str, Any]:
        """The request. Raises ConfigFault where nothing is named."""
        said: dict[str, Any] = {}
        for name, named in (
            ("urls", self.urls),
            ("tags", self.tags),
            ("prefixes", self.prefixes),
            ("hosts", self.hosts),
        ):
            if named:
                said[name] = list(named)
        if self.site is not None:
            said |= {"site": self.site} if self.tags else {"sites": [self.site]}
        if self.everything:
            said["everything"] = True
        if not said:
            raise ConfigFault("nothing is named; say --url, --prefix, --tag, --host, --site or --all")
        if self.soft:
            said["soft"] = True
        if self.note:
            said["note"] = self.note
        return said


def run(asked: Asked, *, to_json: bool) -> int:
    """Do it. Raises EdgeError."""
    if asked.wait is not None and asked.wait not in WAITS:
        raise ConfigFault(f"--wait {asked.wait}: write --wait global or --wait region")
    if asked.dry_run and asked.wait is not None:
        raise ConfigFault("a dry run orders nothing, so there is nothing to wait for; leave out --wait")
    body = asked.body()
    key = None if asked.key is None else read_private(asked.key, asked.keyid)
    try:
        return asyncio.run(_run(asked, body, PurgeClient(asked.api, key), to_json=to_json))
    except Refused as refused:
        if to_json:
            print(json.dumps(refused.said))
        else:
            print(f"perigee: {refused.detail}", file=sys.stderr)
            if asked.key is None and refused.answered == 401:
                print("say --key FILE.pem: purges are signed (`perigee keys new`)", file=sys.stderr)
        return MISUSED if refused.is_misuse else FAILED


async def _run(asked: Asked, body: dict[str, Any], client: PurgeClient, *, to_json: bool) -> int:
    async with client:
        if asked.dry_run:
            said = await client.post("/v1/purges?dry_run=1", body)
            _print(said, counted_lines(said), to_json=to_json)
            return 0
        query = "" if asked.wait is None else f"?wait={asked.wait}&timeout=0s"
        said = await client.post(f"/v1/purges{query}", body)
        if asked.wait is None:
            line = f"ordered {said['id']} at {said['seq']}; see {asked.api.rstrip('/')}{said['status_url']}"
            _print(said, [line], to_json=to_json)
            return 0
        return await _watched(asked, client, said, to_json=to_json)


async def _watched(asked: Asked, client: PurgeClient, said: dict[str, Any], *, to_json: bool) -> int:
    """Until it is where it has to be, or time is over. said: the answer to the order, with the first receipt."""
    region = said["receipt"]["region"]
    deadline = time.monotonic() + asked.seconds
    with Progress(quiet=to_json) as progress:
        while True:
            receipt = scope_of(said["receipt"], region)
            progress.show(receipt)
            if receipt["done"] or time.monotonic() >= deadline:
                break
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(
                Refused, UpstreamFault
            ):  # the order is in the log, whoever does not answer just now
                said |= await client.get(said["status_url"])
    _print({**said, "receipt": receipt}, as_lines(said["id"], receipt), to_json=to_json)
    return 0 if receipt["done"] else FAILED


def _print(said: dict[str, Any], lines: Sequence[str], *, to_json: bool) -> None:
    if to_json:
        print(json.dumps(said))
        return
    for line in lines:
        print(line)
