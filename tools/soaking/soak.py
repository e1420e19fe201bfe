"""One soak: two edges and their shield, three servers of the log, readers, purgers, faults; then the reckoning.

Owns: `Soak`, `Outcome`, `in_log`. The edges ask the shield for what they do not have, and the origin where the shield is down;
the shield has clients of its own. All that tools.soaking.checker claims is claimed of every node.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from nats.aio.client import Client

from edge.clock import SystemClock
from edge.purge.signing.key_files import written
from edge.purge.signing.keys import ALL_KINDS, Algorithm, Key, Scope
from edge.purge.signing.private_keys import material_of, new_signing_key
from edge.purge.signing.sign import SigningKey
from edge.tasks import TaskOwner
from tools.ports import free_ports
from tools.soaking.breaking import Breaker
from tools.soaking.checker import Checker
from tools.soaking.faults import WEIGHTS, Fault, Happened, Injector, plan
from tools.soaking.origin import Origin
from tools.soaking.pages import PAGES, SITES, Page
from tools.soaking.processes import TOKEN, LogCluster, Node, NodeSetting
from tools.soaking.purgers import Purger, Purges, Scene
from tools.soaking.readers import NoAnswer, Place, read_on, read_one

SHIELD = "shield"
SECRET = "soak-on-loopback, a secret"
EDGES = ("edge-1", "edge-2")
STREAM = "PERIGEE"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. seconds: with faults and load. lease: what sites are told as purge.log_loss_after, seconds.

    readers: of each node. pause: the mean of what a reader and a purger wait between two requests, seconds.
    """

    seconds: float
    seed: int
    lease: int = 15
    readers: int = 3
    purgers: int = 3
    read_pause: float = 0.01
    purge_pause: float = 0.3
    faults: Mapping[Fault, int] = field(default_factory=lambda: WEIGHTS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. lost: ids. twice: purges that are in the log more than once. ready_after: seconds, of nodes that were
    killed. gaps: by fault of the log, seconds until the next purge was taken.
    """

    plan: Plan
    checker: Checker
    purges: Purges
    happened: Sequence[Happened]
    lost: Sequence[str]
    twice: Sequence[str]
    logged: int
    ready_after: Sequence[float]
    gaps: Mapping[str, Sequence[float]]
    asked_of_origin: int

    @property
    def holds(self) -> bool:
        """Whether all that is claimed was true."""
        counts = self.checker.counts
        return not (counts.stale or counts.damaged or self.lost or self.twice or not self.checker.taken)


class Soak:
    """See the module. folder: for what the processes keep and write."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.clock = SystemClock()
        self.checker = Checker(plan.lease)
        self.purges = Purges()
        self.nodes: list[Node] = []
        self._folder = folder
        self._dice = random.Random(plan.seed)

    async def run(self) -> Outcome:
        """All of it. NotUp when something does not start; everything is ended in any case."""
        async with AsyncExitStack() as stack:
            origin = await stack.enter_async_context(Origin(self._derived()))
            cluster = await stack.enter_async_context(LogCluster(self._folder / "log"))
            key = write_key(self._folder / "keys")
            stack.push_async_callback(self._end_nodes)
            await self._start_nodes(origin, cluster)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    trust_env=False, connector=aiohttp.TCPConnector(limit=0, force_close=True)
                )
            )
            places = [node.place for node in self.nodes]
            scene = Scene(origin, self.checker, places, key, self.clock, time.time, session)
            breaker = Breaker(cluster, self.nodes, self.clock)
            injector = Injector(breaker.do, self.clock)
            await self._under_load(scene, injector)
            await asyncio.gather(*[node.wait_ready() for node in self.nodes])
            await self._last_look(scene)
            logged = await in_log([server.port for server in cluster.servers])
            return self._reckoned(origin, injector.happened, breaker.ready_after, logged)

    def _derived(self) -> random.Random:
        return random.Random(self._dice.random())

    async def _start_nodes(self, origin: Origin, cluster: LogCluster) -> None:
        alone = NodeSetting(
            fills=dict.fromkeys(SITES, origin.port),
            hosts=SITES,
            log=cluster.settings,
            keys=self._folder / "keys",
            lease=self.plan.lease,
        )
        (port,) = free_ports(1)
        known = f'[tier]\nsecrets = ["{SECRET}"]\n'
        shield = replace(alone, tier=f'{known}listen = "127.0.0.1:{port}"\n')
        behind = replace(alone, tier=f'{known}shields = ["127.0.0.1:{port}"]\n')
        self.nodes.append(Node(SHIELD, self._folder / SHIELD, shield))
        self.nodes += [Node(name, self._folder / name, behind) for name in EDGES]
        for node in self.nodes:
            node.launch()
        await asyncio.gather(*[node.wait_ready() for node in self.nodes])

    async def _end_nodes(self) -> None:
        await asyncio.gather(*[node.kill() for node in self.nodes])

    async def _under_load(self, scene: Scene, injector: Injector) -> None:
        """Readers and purgers until the last fault is undone, and a while longer."""
        plan_ = self.plan
        async with TaskOwner("soak") as tasks:
            for place in scene.places:
                for number in range(plan_.readers):
                    dice = self._derived()
                    reading = read_on(
                        place, self.checker, self.clock, dice=dice, pause=_pauses(dice, plan_.read_pause)
                    )
                    tasks.spawn(reading, name=f"reader-{place.name}-{number}")
            purging = TaskOwner("purgers")
            for number in range(plan_.purgers):
                dice = self._derived()
                purger = Purger(scene, self.purges, dice)
                purging.spawn(purger.go_on(_pauses(dice, plan_.purge_pause)), name=f"purger-{number}")
            try:
                faults = plan(self._derived(), plan_.seconds, long=plan_.lease * 1.2, faults=plan_.faults)
                began = self.clock.mono()
                await injector.run(faults)
                await asyncio.sleep(max(plan_.seconds - (self.clock.mono() - began), 2.0))
            finally:
                await purging.aclose()

    async def _last_look(self, scene: Scene) -> None:
        """Everything everywhere, once more; and by then no claim needs a lease."""
        for place in scene.places:
            for page in PAGES:
                await _read_once(place, page, self.checker, self.clock)

    def _reckoned(
        self,
        origin: Origin,
        happened: Sequence[Happened],
        ready_after: Sequence[float],
        logged: Sequence[tuple[str, int]],
    ) -> Outcome:
        first: dict[str, int] = {}
        twice = []
        for order, seq in logged:
            if first.setdefault(order, seq) != seq:
                twice.append(order)
        return Outcome(
            self.plan,
            self.checker,
            self.purges,
            happened,
            self.checker.lost(first),
            twice,
            len(first),
            ready_after,
            gaps(happened, self.purges.took_at),
            origin.asked,
        )


def gaps(happened: Sequence[Happened], took_at: Sequence[float]) -> dict[str, list[float]]:
    """For each kind of fault of the log: how long after its beginning the next purge was taken."""
    found: dict[str, list[float]] = {}
    for each in happened:
        if each.fault in {Fault.WORKER_KILLED, Fault.WORKER_STOPPED, Fault.NODE_KILLED}:
            continue
        after = [at - each.began for at in took_at if at > each.began]
        if after:
            found.setdefault(each.fault.value, []).append(min(after))
    return found


def _pauses(dice: random.Random, mean: float) -> Callable[[], float]:
    return lambda: dice.expovariate(1.0 / mean) if mean else 0.0


async def _read_once(place: Place, page: Page, checker: Checker, clock: SystemClock) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    except OSError:
        checker.failed("no connection at the end")
        return
    try:
        await read_one(reader, writer, checker, clock, place.name, page)
    except (NoAnswer, TimeoutError, OSError) as fault:
        checker.failed(f"at the end: {fault}")
    finally:
        writer.close()


def write_key(folder: Path) -> SigningKey:
    """A key that may purge everything, in a folder for nodes; the side that signs."""
    folder.mkdir(parents=True, exist_ok=True)
    key = new_signing_key("soak", Algorithm.ED25519, secrets.token_bytes)
    scope = Scope(sites=None, kinds=ALL_KINDS, may_purge_everything=True)
    (folder / "soak.toml").write_text(
        written(Key(key.id, key.algorithm, material_of(key), scope)), encoding="utf-8"
    )
    return key


async def in_log(ports: Sequence[int], stream: str = STREAM) -> list[tuple[str, int]]:
    """Every order in the log with its sequence number, read by nothing of ours."""
    client = Client()
    await client.connect([f"nats://127.0.0.1:{port}" for port in ports], token=TOKEN, connect_timeout=5)
    try:
        manager = client.jsm()
        state = (await manager.stream_info(stream)).state
        found = []
        for seq in range(state.first_seq, state.last_seq + 1):
            message = await manager.get_msg(stream, seq)
            said = json.loads(message.data or b"{}")
            if said.get("is") == "purge":
                found.append((str(said["id"]), seq))
        return found
    finally:
        await client.close()
