"""The fleet as this node hears it: it says what it is, listens to all others, and waits for what they have applied.

Owns: `Fleet`. DESIGN section 4. Rules:
* presence is plain publish and subscribe, <prefix>.presence.<node>: cheap, needs no quorum, and whoever starts knows all
  nodes after one period. It is said each PERIOD_SECONDS, and at once (GAP_SECONDS apart) when what this node has applied
  moves: that is the acknowledgement of a purge;
* we hear ourselves by the same way as all others. While we do not, nothing is concluded from the silence of others: it is
  our own connection that is silent;
* who waits is woken by what is heard, not by a clock; the clock only finds out who fell silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edge.bus.address import subject_token
from edge.bus.connection import Bus, Said
from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.fleet.asking import Answer, Asking
from edge.fleet.presence import BadPresence, Presence, decode, encode
from edge.fleet.registry import Heard, Member, Receipt, Registry
from edge.measures import Measures
from edge.semantics.message import UnixSeconds
from edge.tasks import TaskOwner

PERIOD_SECONDS = 1.0
GAP_SECONDS = 0.02
"""A purge a millisecond makes fifty messages a second of each node, not a thousand; an acknowledgement is that much later."""
SURVEY_SECONDS = 2.2
"""Who has listened for so long has heard everybody twice."""
ECHO_SECONDS = 2.0
"""With less than this since we heard ourselves, who is away by `LIVE_SECONDS` fell silent while we could hear."""
SWEEP_SECONDS = 0.25
MAX_WAITING = 1_000
"""Calls of `wait` at a time; one more is told how things stand, at once."""

_log = logging.getLogger("perigee.fleet")

OnChange = Callable[[str], None]
"""Told the name of a node that came, left, fell silent, came back, or became ready or unready."""


@dataclass(slots=True, eq=False)
class _Waiting:
    seq: int
    history: str
    region: str | None
    done: asyncio.Future[Receipt]
    pending: set[str] = field(default_factory=set)
    """Live nodes that are not known to have applied it."""


class Fleet:
    """See the module. say: what this node is now. answer: to questions of others (edge.fleet.asking)."""

    def __init__(
        self,
        bus: Bus,
        say: Callable[[], Presence],
        *,
        answer: Answer,
        clock: Clock,
        measures: Measures,
    ) -> None:
        own = say()
        self.node = own.node
        self._instance = own.instance
        self._bus = bus
        self._say = say
        self._clock = clock
        self._measures = measures
        self._registry = Registry()
        self._asking = Asking(bus, own.node, answer, clock=clock, measures=measures)
        self._moved = asyncio.Event()
        self._waiting: set[_Waiting] = set()
        self._on_change: list[OnChange] = []
        self._live: set[str] = set()
        self._since: float | None = None
        """When the present connection began."""
        self._complained: set[str] = set()
        measures.fleet_nodes.of("live").source = lambda: self._registry.live(clock.mono())
        measures.fleet_nodes.of("away").source = lambda: (
            len(self._registry) - self._registry.live(clock.mono())
        )

    async def start(self, tasks: TaskOwner) -> None:
        """Listen, and speak from now on, in tasks of `tasks`. It needs no connection yet."""
        self._bus.on_connect(self._connected)
        if self._bus.is_connected:
            self._connected()
        await self._bus.subscribe(f"{self._bus.address.prefix}.presence.>", self._heard)
        await self._asking.start(tasks)
        tasks.spawn(self._speak(), name="presence")
        tasks.spawn(self._sweep(), name="fleet")

    def moved(self) -> None:
        """What this node has applied moved, or something else that others should know at once."""
        self._moved.set()

    async def leave(self) -> None:
        """The last word, when nobody is served any more; nobody waits for us then."""
        await self._publish(replace(self._say(), leaving=True, ready=False))

    def on_change(self, call: OnChange) -> None:
        """Call it when a node changes."""
        self._on_change.append(call)

    # -- what is known --

    def nodes(self) -> Sequence[Member]:
        """All that are known, by name."""
        return tuple(self._registry.members())

    def described(self) -> list[dict[str, Any]]:
        """The same for people and programs; times are seconds. behind: orders and ticks that it has yet to read."""
        now = self._clock.mono()
        members = self.nodes()
        heads: dict[str, int] = {}
        for member in members:
            said = member.presence
            heads[said.history] = max(heads.get(said.history, 0), said.applied)
        return [_described(member, now, heads[member.presence.history]) for member in members]

    @property
    def surveyed(self) -> bool:
        """Whether we hear, and have heard for long enough to know who is there."""
        now = self._clock.mono()
        own = self._registry.member(self.node)
        if self._since is None or not self._bus.is_connected or own is None:
            return False
        if own.presence.instance != self._instance or now - own.heard_at > ECHO_SECONDS:
            return False
        return self._bus.address.is_own or now - self._since >= SURVEY_SECONDS

    def receipt(self, seq: int, history: str, region: str | None = None) -> Receipt:
        """How an order stands now. region: None = everywhere."""
        now = self._clock.mono()
        return self._registry.receipt(seq, history, region, now, surveyed=self.surveyed)

    async def wait(self, seq: int, history: str, region: str | None, seconds: float) -> Receipt:
        """The receipt as soon as it is complete, else as it is after so many seconds."""
        receipt = self.receipt(seq, history, region)
        if receipt.is_complete or seconds <= 0:
            return receipt
        if len(self._waiting) >= MAX_WAITING:
            self._measures.bound_reached.of("fleet.waiting").value += 1
            return receipt
        waiting = _Waiting(seq, history, region, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)
        self._look(waiting)
        try:
            async with asyncio.timeout(seconds):
                return await waiting.done
        except TimeoutError:
            return self.receipt(seq, history, region)
        finally:
            self._waiting.discard(waiting)

    def unix(self, mono: float) -> UnixSeconds:
        """When that was, for people. mono: as in receipts."""
        return UnixSeconds(self._clock.now() - (self._clock.mono() - mono))

    async def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, dict[str, Any]]:
        """What each live node answers; those that did not in time are left out. BusFault when it cannot be asked."""
        now = self._clock.mono()
        live = [member.presence.node for member in self._registry.members() if member.is_live(now)]
        return await self._asking.ask(live, question, seconds)

    # -- speaking --

    async def _speak(self) -> None:
        while True:
            self._moved.clear()
            await self._publish(self._say())
            await asyncio.sleep(GAP_SECONDS)
            try:
                async with asyncio.timeout(PERIOD_SECONDS - GAP_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                continue

    async def _publish(self, presence: Presence) -> None:
        subject = f"{self._bus.address.prefix}.presence.{subject_token(self.node)}"
        try:
            await self._bus.publish(subject, encode(presence))
        except BusFault:
            return  # the bus counts and tells it; the next word goes out a second later, or with the next connection

    # -- listening --

    def _connected(self) -> None:
        self._since = self._clock.mono()
        self._moved.set()

    def _heard(self, said: Said) -> None:
        try:
            presence = decode(said.data)
            if said.subject.rpartition(".")[2] != subject_token(presence.node):
                raise BadPresence("it speaks for another")
        except BadPresence:
            self._measures.presences.of("bad").value += 1
            return
        before = self._registry.member(presence.node)
        was_ready = before is not None and before.presence.ready
        outcome = self._registry.hear(presence, self._clock.mono())
        self._measures.presences.of(outcome.value).value += 1
        if outcome is Heard.CONTESTED:
            self._complain(presence.node)
        member = self._registry.member(presence.node)
        if member is not None:
            for waiting in tuple(self._waiting):
                self._consider(waiting, member)
        if outcome in {Heard.NEW, Heard.LEFT} or was_ready != presence.ready:
            self._changed(presence.node)

    def _complain(self, node: str) -> None:
        if node not in self._complained:
            self._complained.add(node)
            _log.error("two nodes have one name; give each a node.name of its own", extra={"node": node})

    def _consider(self, waiting: _Waiting, member: Member) -> None:
        """A node was heard."""
        said = member.presence
        if waiting.region is not None and said.region != waiting.region:
            return
        if member.has_applied(waiting.seq, waiting.history, self._clock.mono()):
            waiting.pending.discard(said.node)
        else:
            waiting.pending.add(said.node)
        if not waiting.pending:
            self._look(waiting)

    def _look(self, waiting: _Waiting) -> None:
        """Look at all nodes."""
        receipt = self.receipt(waiting.seq, waiting.history, waiting.region)
        waiting.pending = {missing.node for missing in receipt.pending}
        if receipt.is_complete and not waiting.done.done():
            waiting.done.set_result(receipt)

    async def _sweep(self) -> None:
        """Find out who fell silent."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock.mono()
            self._complained.difference_update(self._registry.forget(now))
            live = {member.presence.node for member in self._registry.members() if member.is_live(now)}
            for node in live ^ self._live:
                self._changed(node)
            self._live = live
            for waiting in tuple(self._waiting):
                self._look(waiting)

    def _changed(self, node: str) -> None:
        for call in self._on_change:
            call(node)


def _described(member: Member, now: float, head: int) -> dict[str, Any]:
    said = member.presence
    live = member.is_live(now)
    return {
        "node": said.node,
        "region": said.region,
        "pop": said.pop or None,
        "role": said.role,
        "version": said.version,
        "live": live,
        "ready": live and said.ready,
        "contested": member.is_contested(now),
        "silent": round(max(0.0, now - member.heard_at), 3),
        "history": said.history or None,
        "applied": said.applied,
        "behind": head - said.applied,
        "proof_age": said.proof_age,
        "workers": said.workers,
        "load": said.load,
        "rate": None if said.rate is None else round(said.rate, 1),
        "addresses": list(said.addresses),
    }
