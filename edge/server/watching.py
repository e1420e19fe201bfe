"""What a process knows of the network: who is up, who has room, who is drained; and who is told when that changes.

Owns: `Watching`, which a supervisor has: the checks, the bus, and the moments at which edge.geo.health judges. Rules:
* A vantage point asks all edges itself, and tells the others what it saw; who is none (an edge that redirects, where there
  is a bus) only listens. Without a bus everybody asks, and goes by what he sees.
* Nobody waits for the bus: what was known last holds until something else is known. What nodes say of themselves counts once
  we have listened for long enough to have heard them all.
* Drains outlive everything: all vantage points keep them, in a file too, and say them with each report.
* What is judged is told as a whole, and only when it makes a difference (edge.geo.view_message).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.bus.address import BusAddress, subject_token
from edge.bus.connection import Bus
from edge.bus.connection import Said as Message
from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.fleet.presence import BadPresence, decode
from edge.geo import opinions
from edge.geo.checks import Checks
from edge.geo.drains import Drains
from edge.geo.health import PopHealth, Said, Seen, judge, view_of
from edge.geo.measures import WatchMeasures
from edge.geo.network_view import Health, NetworkView, PopView
from edge.geo.opinions import BadReport, Heard, Opinions, Report
from edge.geo.vantage import Streaks, after, countable, health_by_pop, nodes_out
from edge.geo.view_message import said_of
from edge.measures import Measures
from edge.server.kept_drains import read_drains, write_drains
from edge.settings.network import Network
from edge.tasks import TaskOwner

JUDGE_SECONDS = 0.5
"""Ramps move and silence is noticed by this; what is heard or seen is judged at once."""

_log = logging.getLogger("perigee.watch")

Show = Callable[[dict[str, Any]], None]


class Watching:
    """See the module. vantage: our name among vantage points, None = we are none. folder: for the drains.

    show: told what is known now, as `edge.geo.view_message.said_of` says it.
    """

    def __init__(
        self,
        network: Network,
        *,
        vantage: str | None,
        folder: Path,
        clock: Clock,
        measures: Measures,
        show: Show,
    ) -> None:
        self.network = network
        self.shown: dict[str, Any] | None = None
        """What was told last; None = nothing was yet."""
        self._nodes = frozenset(node.name for node in network.nodes)
        self._vantage = vantage
        self._folder = folder
        self._clock = clock
        self._show = show
        self._counted = WatchMeasures(measures.registry)
        self._checks = Checks(self._counted)
        self._asks = vantage is not None or not network.nats.url
        self._instance = secrets.token_hex(8)
        self._streaks: Streaks = {}
        self._opinions = Opinions()
        self._said: dict[str, Said] = {}
        self._since = 0.0
        """When the present connection to the bus began."""
        self._drains = Drains(pop.name for pop in network.pops)
        self._states: Mapping[str, PopHealth] = {}
        self._judge_now = asyncio.Event()
        self._say_now = asyncio.Event()
        self._complained = self._unsaved = self._doubted = False
        self._bus: Bus | None = None
        if network.nats.url:
            name = f"{vantage or 'listener'}/watch"
            self._bus = Bus(BusAddress.of(network.nats), name=name, clock=clock, measures=measures)

    async def start(self, tasks: TaskOwner) -> None:
        """Begin, in tasks of `tasks`; `show` is told what is known at once."""
        kept = await asyncio.to_thread(read_drains, self._folder)
        self._drains.merge(kept, self._clock.now())
        self._judge()
        if self._bus is not None:
            self._bus.on_connect(self._connected)
            prefix = self._bus.address.prefix
            await self._bus.subscribe(f"{prefix}.presence.>", self._heard_presence)
            await self._bus.subscribe(f"{prefix}.opinion.>", self._heard_opinion)
            tasks.spawn(self._connect(self._bus), name="connect")
            if self._vantage is not None:
                tasks.spawn(self._report_for_ever(self._bus, self._vantage), name="report")
        if self._asks:
            tasks.spawn(self._check_for_ever(), name="checks")
        tasks.spawn(self._judge_for_ever(), name="judge")

    async def aclose(self) -> None:
        """End; the tasks are ended by their owner."""
        if self._bus is not None:
            await self._bus.aclose()

    def apply(self, network: Network) -> None:
        """Another network file; where the bus is counts from the next start."""
        self.network = network
        self._nodes = frozenset(node.name for node in network.nodes)
        self._said = {name: said for name, said in self._said.items() if name in self._nodes}
        self._drains.know(pop.name for pop in network.pops)
        self._judge()

    # -- commands --

    async def drain(self, pop: str, drained: bool) -> None:
        """Drain a POP, or take it back. KeyError when there is none of that name."""
        made = self._drains.order(pop, drained, self._vantage or "listener", self._clock.now())
        _log.info("POP drained" if drained else "POP no longer drained", extra={"pop": pop, "by": made.by})
        self._say_now.set()
        self._judge_now.set()
        await self._keep()

    async def _keep(self) -> None:
        self._unsaved = False
        await asyncio.to_thread(write_drains, dict(self._drains.latest), self._folder)

    def described(self) -> dict[str, Any]:
        """For people and programs."""
        now = self._clock.mono()
        view = view_of(self.network, self._states, now)
        by_pop = self._opinions.by_pop()
        out = nodes_out(self.network, self._streaks, self._countable(now), now)
        return {
            "vantage": self._vantage,
            "bus": "none" if self._bus is None else "connected" if self._bus.is_connected else "away",
            "pops": [
                {
                    "pop": each.pop.name,
                    "region": each.pop.region,
                    "health": each.health.value,
                    "state": each.pop.state.value,
                    "drained": round(each.drained, 3),
                    "ready": round(each.ready, 3),
                    "passes_on": round(each.shed, 3),
                    "load": None if each.load is None else round(each.load, 3),
                    "share": round(_share(each), 3),
                    "drain": self._described_drain(each.pop.name),
                    "opinions": {
                        said.vantage: {"health": said.health.value, "age": round(now - said.at, 3)}
                        for said in by_pop.get(each.pop.name, ())
                    },
                    "nodes_out": sorted(
                        node.name
                        for node in self.network.nodes
                        if node.name in out and node.pop == each.pop.name
                    ),
                }
                for each in view.pops
            ],
        }

    def _described_drain(self, pop: str) -> dict[str, Any] | None:
        drain = self._drains.latest.get(pop)
        return None if drain is None else {"drained": drain.drained, "at": drain.at, "by": drain.by}

    # -- asking --

    async def _check_for_ever(self) -> None:
        while True:
            began = self._clock.mono()
            results = await self._checks.round(self.network)
            self._streaks = after(self._streaks, results, self.network)
            self._opinions.hear(self._own(), self._clock.mono())
            self._judge_now.set()
            self._say_now.set()
            await asyncio.sleep(max(0.0, began + self.network.health.interval - self._clock.mono()))

    def _own(self) -> Report:
        health = health_by_pop(self.network, self._streaks)
        return Report(self._vantage or "own", self._instance, health, self._drains.latest)

    # -- the bus --

    async def _connect(self, bus: Bus) -> None:
        try:
            await bus.connect()
        except BusFault as fault:
            _log.warning("the bus cannot be reached yet", extra={"why": fault.detail})

    async def _report_for_ever(self, bus: Bus, vantage: str) -> None:
        """After each round, and at once when a drain was ordered."""
        while True:
            await self._say_now.wait()
            self._say_now.clear()
            subject = f"{bus.address.prefix}.opinion.{subject_token(vantage)}"
            try:
                await bus.publish(subject, opinions.encode(self._own()))
            except BusFault:
                continue  # the next report has all that this one had

    def _connected(self) -> None:
        self._since = self._clock.mono()

    def _countable(self, now: float) -> Mapping[str, Said]:
        since = self._since if self._bus is not None and self._bus.is_connected else None
        return countable(self._said, since, now, self.network.health)

    def _heard_opinion(self, said: Message) -> None:
        now = self._clock.mono()
        try:
            report = opinions.decode(said.data)
            if said.subject.rpartition(".")[2] != subject_token(report.vantage):
                raise BadReport("it speaks for another")
        except BadReport:
            self._counted.opinions.of(Heard.BAD.value).value += 1
            return
        if report.vantage == self._vantage and report.instance == self._instance:
            return  # ourselves
        outcome = self._opinions.hear(report, now)
        self._counted.opinions.of(outcome.value).value += 1
        if outcome is Heard.CONTESTED and not self._complained:
            self._complained = True
            _log.error(
                "two DNS servers have one name; give each a dns.name of its own",
                extra={"vantage": report.vantage},
            )
        if self._drains.merge(report.drains, self._clock.now()):
            self._unsaved = True
        self._judge_now.set()

    def _heard_presence(self, said: Message) -> None:
        try:
            presence = decode(said.data)
            if said.subject.rpartition(".")[2] != subject_token(presence.node):
                raise BadPresence("it speaks for another")
        except BadPresence:
            return  # the nodes count it
        if presence.node not in self._nodes:
            return
        ready = presence.ready and not presence.leaving
        before = self._said.get(presence.node)
        self._said[presence.node] = Said(
            self._clock.mono(), ready, presence.proof_age, presence.load, presence.rate
        )
        if before is None or before.ready != ready:
            self._judge_now.set()

    # -- judging --

    async def _judge_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(JUDGE_SECONDS):
                    await self._judge_now.wait()
            except TimeoutError:
                pass
            self._judge_now.clear()
            self._judge()
            if self._unsaved:
                await self._keep()

    def _judge(self) -> None:
        network, now = self.network, self._clock.mono()
        self._opinions.forget(now, network.health.opinion_life)
        spoken = self._countable(now)
        seen = Seen(self._opinions.by_pop(), spoken, self._drains.drained)
        self._states = judge(self._states, network, seen, now)
        view = view_of(network, self._states, now)
        self._measure(view)
        self._tell_doubt(view)
        said = said_of(view, nodes_out(network, self._streaks, spoken, now))
        if said != self.shown:
            self._tell_changes(view)
            self.shown = said
            self._show(said)

    def _measure(self, view: NetworkView) -> None:
        for each in view.pops:
            self._counted.pop_up.of(each.pop.name).value = int(each.health is not Health.DOWN)
            self._counted.pop_share.of(each.pop.name).value = round(_share(each), 3)
            self._counted.pop_doubted.of(each.pop.name).value = int(self._is_doubted(each))

    def _is_doubted(self, view: PopView) -> bool:
        return view.health is not Health.DOWN and self._states[view.pop.name].health is Health.DOWN

    def _tell_doubt(self, view: NetworkView) -> None:
        """All at once are seldom down; that whoever looks is cut off is likelier, and just as urgent."""
        doubted = any(map(self._is_doubted, view.pops))
        if doubted and not self._doubted:
            _log.error("so many POPs seem down that the checks are doubted (health.max_out): all count as up")
        elif self._doubted and not doubted:
            _log.info("the checks are believed again")
        self._doubted = doubted

    def _tell_changes(self, view: NetworkView) -> None:
        before = {} if self.shown is None else {pop: said[0] for pop, said in self.shown["pops"].items()}
        for each in view.pops:
            was = before.get(each.pop.name, Health.UNKNOWN.value)
            if each.health.value != was and Health.DOWN.value in (each.health.value, was):
                level = logging.WARNING if each.health is Health.DOWN else logging.INFO
                _log.log(level, "POP is %s", each.health.value, extra={"pop": each.pop.name, "was": was})


def _share(view: PopView) -> float:
    """Of its clients that the POP gets."""
    if view.health is Health.DOWN:
        return 0.0
    return (1 - view.drained) * view.ready * (1 - view.shed)
