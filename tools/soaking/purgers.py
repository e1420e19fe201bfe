"""Whoever changes the origin and then purges, through the signed API of any node.

Owns: `Purger`. Rules: the origin changes before the purge is sent (docs/why/007-the-fence.md has the precondition); what is
not acknowledged is sent again under the same Idempotency-Key, to another node, until it is or until there is no more time;
only a 200 or 202 counts as an acknowledgement, and only the nodes that its receipt names as having applied it are held to it.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from edge.clock import Clock
from edge.purge.signing.sign import SigningKey, request_to, sign
from edge.semantics.message import Fields
from tools.soaking.checker import Checker
from tools.soaking.origin import Origin
from tools.soaking.pages import Page, Wanted, choose
from tools.soaking.readers import Place

WAIT_SECONDS = 5
PATIENCE_SECONDS = 20.0
"""For one answer; the log may take ten seconds to say that it did not acknowledge."""
AGAIN_SECONDS = 0.5
GIVE_UP_SECONDS = 60.0


@dataclass(slots=True)
class Purges:
    """What came of them. seconds: from sending to a complete receipt. took_at: monotonic times of acknowledgements."""

    asked: int = 0
    complete: int = 0
    """All live nodes had applied it when it was answered."""
    incomplete: int = 0
    repeated: int = 0
    """Acknowledged at a second try."""
    given_up: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Answers that were no acknowledgement, and nodes that did not answer."""
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    took_at: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a purger works with. wall: unix seconds, for signatures."""

    origin: Origin
    checker: Checker
    places: Sequence[Place]
    key: SigningKey
    clock: Clock
    wall: Callable[[], float]
    session: aiohttp.ClientSession


class Purger:
    """See the module. purges: may be shared."""

    def __init__(self, scene: Scene, purges: Purges, dice: random.Random) -> None:
        self._scene = scene
        self._purges = purges
        self._dice = dice

    async def go_on(self, pause: Callable[[], float]) -> None:
        """One purge after the other until cancelled. pause: seconds between two."""
        while True:
            await self.one(choose(self._dice))
            await asyncio.sleep(pause())

    async def one(self, wanted: Wanted) -> bool:
        """Change what it names, then purge it. False = nobody took it in time."""
        scene, purges = self._scene, self._purges
        versions = {page: scene.origin.change(page) for page in wanted.pages}
        key = secrets.token_hex(8)
        began = scene.clock.mono()
        purges.asked += 1
        tries = 0
        while scene.clock.mono() - began < GIVE_UP_SECONDS:
            tries += 1
            said = await self._send(self._dice.choice(scene.places), wanted, key)
            if said is not None:
                self._took(said, wanted, versions, began)
                purges.repeated += tries > 1
                return True
            await asyncio.sleep(AGAIN_SECONDS)
        purges.given_up += 1
        return False

    def _took(
        self, said: Mapping[str, object], wanted: Wanted, versions: Mapping[Page, int], began: float
    ) -> None:
        scene, purges = self._scene, self._purges
        now = scene.clock.mono()
        scene.checker.accepted(str(said["id"]), int(str(said["seq"])), versions, now)
        receipt = said["receipt"]
        assert isinstance(receipt, dict), receipt
        scene.checker.applied([node["node"] for node in receipt["applied"]], versions)
        purges.took_at.append(now)
        purges.kinds[wanted.kind.value + (", soft" if wanted.is_soft else "")] += 1
        if receipt["done"]:
            purges.complete += 1
            purges.seconds.append(now - began)
        else:
            purges.incomplete += 1

    async def _send(self, place: Place, wanted: Wanted, key: str) -> Mapping[str, object] | None:
        """The answer, if it is an acknowledgement."""
        scene = self._scene
        url = f"http://127.0.0.1:{place.admin_port}/v1/purges?wait=global&timeout={WAIT_SECONDS}s"
        body = json.dumps(wanted.said).encode()
        given = Fields(((b"Content-Type", b"application/json"), (b"Idempotency-Key", key.encode())))
        message = request_to(url, fields=given, body=body)
        lines = (*given, *sign(message, scene.key, now=scene.wall(), nonce=secrets.token_urlsafe(18)))
        headers = {name.decode(): said.decode("latin-1") for name, said in lines}
        try:
            async with scene.session.post(
                url, data=body, headers=headers, timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
            ) as answer:
                said = await answer.json(content_type=None)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            self._purges.refused[type(error).__name__] += 1
            return None
        if answer.status in {200, 202} and isinstance(said, dict):
            return said
        reason = said.get("reason", "") if isinstance(said, dict) else ""
        self._purges.refused[f"{answer.status} {reason}".strip()] += 1
        return None
