"""Beats and ticks: how nodes prove to themselves that they know of all purges. DESIGN section 4.

Owns: `Ticks`, which the supervisor of each node runs. Each says once a second that it lives: a *beat*, its own monotonic
clock, on the bus and not in the log. Whoever has read no *tick* for a second writes one into the log, with the newest beat
of every node that it has heard. Who reads there, in order, its own beat knows that it has read all that was ordered before
that beat: the tick was written after the beat was said, so it stands after all that was acknowledged before. No clock is
compared with another machine's, and it does not matter who writes, or how often more than enough.

Rules: a tick costs the log some 50 bytes for each node, so that a network of more than 25 nodes ticks more slowly (five
seconds at most; a lease is 15). A node whose own proof grows old writes one itself, whatever others do. A history that a
message began is said again each hour, so that it never leaves the log.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress

from edge.bus.connection import Bus, Said
from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.purge import questions
from edge.purge.follower import Follower
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import MAX_BYTES, MAX_HEARD, Tick, encode
from edge.tasks import TaskOwner
from edge.values import replace

BEAT_SECONDS = 1.0
TICK_SECONDS = 1.0
MOST_TICK_SECONDS = 5.0
NODES_A_SECOND = 25
JITTER_SECONDS = 0.5
OWN_PROOF_SECONDS = 5.0
NOT_YET_SECONDS = 0.02
"""While there is no connection, or our reader has not begun: it would not see the tick."""
HEARD_SECONDS = 10.0
"""How long a node that says nothing is still spoken for."""
HISTORY_SECONDS = 3_600.0
MAX_BEAT_BYTES = 1_024
_MOST = 1 << 53


class Ticks:
    """See the module. node, instance: what the followers of this node were given. instance: new at each start."""

    def __init__(self, bus: Bus, follower: Follower, *, node: str, instance: str, clock: Clock) -> None:
        self._bus = bus
        self._follower = follower
        self._node = node
        self._instance = instance
        self._clock = clock
        self._heard: dict[str, tuple[str, int, float]] = {}
        self._ticked_at = float("-inf")
        self._said_in_hour = int(clock.now() // HISTORY_SECONDS)

    async def start(self, tasks: TaskOwner) -> None:
        """Beat and tick, in tasks of `tasks`. It needs no connection yet."""
        await self._bus.subscribe(self._bus.address.beat_subject, self._hear)
        tasks.spawn(self._beats(), name="beats")
        tasks.spawn(self._ticks(), name="ticks")

    async def _beats(self) -> None:
        while True:
            said = {"node": self._node, "instance": self._instance, "beat": self._beat()}
            with suppress(BusFault):  # the next one is as good
                await self._bus.publish(self._bus.address.beat_subject, json.dumps(said).encode())
            await asyncio.sleep(BEAT_SECONDS)

    def _beat(self) -> int:
        return int(self._clock.mono() * 1000.0)

    def _hear(self, said: Said) -> None:
        heard = beat_of(said.data)
        if heard is None:
            return
        node, instance, beat = heard
        if node in self._heard or len(self._heard) < MAX_HEARD - 1:
            self._heard[node] = (instance, beat, self._clock.mono())

    async def _ticks(self) -> None:
        jitter = 0.0
        while True:
            left = self.due_at(jitter) - self._clock.mono()
            if left > 0.0 or not (self._bus.is_connected and self._follower.history):
                await asyncio.sleep(max(left, NOT_YET_SECONDS))
                continue
            with suppress(BusFault):
                await self._bus.publish(self._bus.address.tick_subject, self.encoded())
            await self._say_history()
            self._ticked_at = self._clock.mono()
            jitter = JITTER_SECONDS * secrets.randbelow(1000) / 1000.0

    def due_at(self, jitter: float) -> float:
        """Monotonic seconds at which this node writes a tick, if no other does before. jitter: seconds."""
        period = min(max(TICK_SECONDS, len(self._heard) / NODES_A_SECOND), MOST_TICK_SECONDS)
        unless = self._follower.tick_read_at + period + jitter
        own = self._follower.proven_at + max(OWN_PROOF_SECONDS, 2 * period)
        return max(min(unless, own), self._ticked_at + period)

    def tick(self) -> Tick:
        """What is to be written now. Our own beat is this very moment."""
        now = self._clock.mono()
        gone = [node for node, (_, _, at) in self._heard.items() if now - at > HEARD_SECONDS]
        for node in gone:
            del self._heard[node]
        heard = {node: (instance, beat) for node, (instance, beat, _) in self._heard.items()}
        heard[self._node] = (self._instance, self._beat())
        return Tick(UnixSeconds(self._clock.now()), self._node, heard)

    def encoded(self) -> bytes:
        """The tick as it goes into the log. Of more nodes than fit each speaks for itself."""
        tick = self.tick()
        data = encode(tick)
        if len(data) <= MAX_BYTES:
            return data
        return encode(replace(tick, heard={self._node: tick.heard[self._node]}))

    async def _say_history(self) -> None:
        """Once an hour, where a message began the history. Only who is current: another may have begun since."""
        follower, now = self._follower, self._clock.now()
        hour = int(now // HISTORY_SECONDS)
        if hour == self._said_in_hour or not follower.is_current(self._clock.mono(), OWN_PROOF_SECONDS):
            return
        self._said_in_hour = hour
        if follower.history and not follower.history_is_natural:
            with suppress(BusFault):
                message_id = f"history-{follower.history}-{hour}"
                await questions.say_history(
                    self._bus, follower.history, message_id, by=self._node, at=UnixSeconds(now)
                )


def beat_of(data: bytes) -> tuple[str, str, int] | None:
    """(node, instance, beat) of what a node said; None = nonsense."""
    if len(data) > MAX_BEAT_BYTES:
        return None
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match said:
        case {"node": str(node), "instance": str(instance), "beat": int(beat)}:
            fits = 0 < len(node) <= 256 and len(instance) <= 64 and type(beat) is int and 0 <= beat < _MOST
            return (node, instance, beat) if fits else None
    return None
