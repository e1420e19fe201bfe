"""The reader of the purge log: from the bus into the purge table. DESIGN section 4.

Owns: `Follower`. What to ask and what an answer means is edge.purge.reading's; here it is asked. Rules: no consumer on the
server's side (nats-py's ordered one loses messages without a word): live messages come as the stream repeats them, holes
are filled by Direct Get, STREAM.INFO says every two seconds, and at each connection, how far the log goes. Nothing holds
the loop for more than a few milliseconds, however much is to be read. A position is a number for the history and the
sequence number in it (edge.purge.histories); `history:seq` is how other nodes are told.

Being current is proven by reading in order what our own node said of itself: a tick in the log says which *beats* its
writer had heard, and all that was ordered before such a beat stands before the tick (edge.purge.ticks). A connection that
works, or a server that answers, proves nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import assert_never

from edge.bus.connection import Bus, Said
from edge.bus.faults import BusFault, BusSilent
from edge.clock import Clock
from edge.errors import StoreFault
from edge.measures import Measures
from edge.purge import questions
from edge.purge.histories import Histories
from edge.purge.reading import Reading
from edge.purge.reading_steps import (
    Ask,
    AskAnchor,
    AskBatch,
    AskHistory,
    AskLeader,
    AskState,
    Began,
    Begin,
    ReadOrder,
    ReadOther,
    Rest,
    Result,
    SayHistory,
    natural_history,
)
from edge.purge.snapshot import Snapshot, load
from edge.purge.tokens import MOST_SEQ, read_token, token_of
from edge.purge.waiters import Waiters
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder, Tick
from edge.semantics.purge_table import HISTORY_BITS, PurgeTable
from edge.tasks import TaskOwner

LOOK_SECONDS = 2.0
"""Between two looks at how far the log goes."""
LOOK_APART_SECONDS = 0.02
"""The least between two looks, whoever asks for them."""
DOUBT_SECONDS = 0.3
"""Before the log is asked again whether it really ends where it said."""
FAULT_SECONDS = 0.2
TURN_SECONDS = 0.002
TOLD_SECONDS = 60.0
"""Messages that cannot be read are told this often at most."""
NO_PROOF_SECONDS = 86_400.0

_log = logging.getLogger("perigee.purge")

OnOrder = Callable[[PurgeOrder, int], None]
"""Told an order and its position, after it is in force."""


class Follower:
    """See the module. node, instance: of this node's supervisor, whose beats prove us current.

    folder: data_dir/purge. least: (history, seq) that our node has told others it has applied: who joins it late proves
    nothing before it has read so far. Satisfies edge.fence.LogReader.
    """

    def __init__(
        self,
        bus: Bus,
        table: PurgeTable,
        *,
        folder: Path,
        node: str,
        instance: str,
        clock: Clock,
        measures: Measures,
        least: tuple[str, int] = ("", 0),
    ) -> None:
        self.table = table
        self.proven_at = float("-inf")
        """Monotonic seconds: all that was ordered before then has been read."""
        self.suspended = False
        """The log lost something that was read; nothing is vouched for until a new history stands in it."""
        self.caught_up = asyncio.Event()
        """Set once all that was in the log has been read and proven so; again after the log was lost."""
        self.tick_read_at = float("-inf")
        """Monotonic seconds of the last tick that was read."""
        self.fault: str | None = None
        """Why the log did not say how far it goes when it was asked last; None = it did, or was not asked."""
        self._bus = bus
        self._node = node
        self._instance = instance
        self._least = least
        self._folder = folder
        self._clock = clock
        self._measures = measures
        self._histories = Histories(folder, clock)
        self._reading = Reading()
        self._number = 0
        self._entered = ""
        """The history that `_number` is for."""
        self._wake = asyncio.Event()
        self._looked_at = float("-inf")
        self._told_at = float("-inf")
        self._rewinds = 0
        self._is_lost = False
        """Positions cannot be numbered: nothing is put into the table any more, and nothing is trusted."""
        self._on_order: list[OnOrder] = []
        self._waiting = Waiters()
        measures.purge_applied_seq.source = lambda: self._reading.applied
        measures.purge_lag_messages.source = lambda: self.lag
        measures.purge_suspended.source = lambda: int(self.suspended)
        measures.purge_proof_age.source = lambda: min(clock.mono() - self.proven_at, NO_PROOF_SECONDS)

    async def start(self, tasks: TaskOwner) -> None:
        """Take up what was known before, listen, and read on in a task of `tasks`. It needs no connection yet."""
        await self._resume()
        self._bus.on_connect(self._connected)
        await self._bus.subscribe(self._bus.address.live_subjects, self._heard)
        tasks.spawn(self._read(), name="purge log")

    def on_order(self, call: OnOrder) -> None:
        """Tell it every order that comes into force."""
        self._on_order.append(call)

    # -- how far --

    @property
    def applied(self) -> int:
        """The position read up to."""
        return self.table.applied

    @property
    def lag(self) -> int:
        """Messages known to be in the log and not read."""
        return max(0, self._reading.head - self._reading.applied)

    @property
    def history(self) -> str:
        """16 hex digits, "" = nothing is known yet."""
        return self._reading.history

    @property
    def history_is_natural(self) -> bool:
        """Whether who begins to read finds this history without a message that says it."""
        return self._reading.history == natural_history(self._reading.created)

    def seq_of(self, position: int) -> int | None:
        """The sequence number in the present history; None for a position of another."""
        return position & MOST_SEQ if position >> HISTORY_BITS == self._number else None

    def position_of(self, seq: int) -> int:
        """The position of a sequence number in the present history."""
        return self._number << HISTORY_BITS | seq

    def token(self, position: int) -> bytes:
        """`history:seq`, for other nodes. A position of an older history is before all of the present one."""
        return token_of(self._reading.history, self.seq_of(position) or 0)

    def position(self, token: bytes) -> int | None:
        """What `token` of another node gave; None when it is of another history than ours, or nonsense."""
        said = read_token(token)
        return self.position_of(said[1]) if said is not None and said[0] == self._reading.history else None

    def is_current(self, now_mono: float, lease: float) -> bool:
        """Whether all that was ordered up to `lease` seconds ago is known to have been read."""
        return not self.suspended and now_mono - self.proven_at <= lease

    async def reach(self, position: int, seconds: float) -> bool:
        """Read up to there, at once; False when it did not get so far in time."""
        deadline = self._clock.mono() + seconds
        while position > self.table.applied:
            left = deadline - self._clock.mono()
            if left <= 0.0:
                return False
            if self._clock.mono() - self._looked_at >= LOOK_APART_SECONDS:
                self._reading.look()
                self._wake.set()
            await self.wait_applied(position, min(left, LOOK_APART_SECONDS))
        return True

    async def wait_applied(self, position: int, seconds: float) -> bool:
        """Wait until it has been read, without asking for it."""
        return position <= self.table.applied or await self._waiting.until(position, seconds)

    # -- what is kept over a restart --

    def snapshot(self) -> Snapshot | None:
        """What is known now, to be saved; None = nothing worth it."""
        reading, table = self._reading, self.table
        if not self._number or self.suspended or not reading.stamp:
            return None
        return Snapshot(
            created=reading.created,
            history=reading.history,
            number=self._number,
            applied=table.applied,
            floor=table.floor,
            stamp=reading.stamp,
            orders=list(table.orders),
        )

    async def _resume(self) -> None:
        saved = await asyncio.to_thread(self._load)
        if saved is None:
            return
        self._number, self._entered = saved.number, saved.history
        self.table.restore(saved.applied, saved.floor, saved.orders)
        self._reading.resume(saved.created, saved.history, saved.applied & MOST_SEQ, saved.stamp)
        extra = {"after": saved.applied & MOST_SEQ, "orders": len(saved.orders)}
        _log.info("purges are read on", extra=extra)

    def _load(self) -> Snapshot | None:
        saved = load(self._folder)
        if saved is None or self._histories.number_of(saved.history) != saved.number:
            return None
        return saved

    # -- reading --

    def _connected(self) -> None:
        self._reading.connected()
        self._wake.set()

    def _heard(self, said: Said) -> None:
        entry = questions.entry_of(said, self._bus.address.stream)
        if entry is None:
            return
        self._take(self._reading.live(entry))
        if not isinstance(self._reading.next(), Rest):
            self._wake.set()

    async def _read(self) -> None:
        while True:
            ask = self._reading.next()
            if isinstance(ask, Rest):
                await self._rest()
                continue
            try:
                await self._ask(ask)
            except BusFault as fault:
                if isinstance(ask, AskState):
                    self.fault = fault.detail
                    self._reading.look()
                await self._after(fault)

    async def _rest(self) -> None:
        self._wake.clear()
        left = self._looked_at + LOOK_SECONDS - self._clock.mono()
        try:
            async with asyncio.timeout(max(0.0, left)):
                await self._wake.wait()
        except TimeoutError:
            self._reading.look()

    async def _after(self, fault: BusFault) -> None:
        """A question was not answered: perhaps by a server that froze, and then another one is tried at once."""
        if isinstance(fault, BusSilent):
            await self._bus.check()
        if self._bus.is_connected:
            await asyncio.sleep(FAULT_SECONDS)
            return
        try:
            await self._bus.connected(LOOK_SECONDS)
        except BusFault:
            return

    async def _ask(self, ask: Ask) -> None:
        bus, reading = self._bus, self._reading
        match ask:
            case AskState(is_again):
                if is_again:
                    await asyncio.sleep(DOUBT_SECONDS)
                asked_at = reading.asking_state()
                state = await questions.state(bus)
                self.fault = None
                self._looked_at = self._clock.mono()
                reading.state(state, asked_at)
                self._take(())
            case AskBatch(start):
                entries = await questions.batch(bus, start)
                self._measures.purge_gap_fills.value += 1
                await self._take_slowly(reading.fetched(entries))
            case AskLeader(start):
                self._take(reading.leader_has(await questions.at_or_after(bus, start)))
            case AskAnchor(seq):
                found = await questions.at(bus, seq)
                self._take(reading.anchor(None if found is None else found.stamp))
            case AskHistory():
                self._take(reading.last_history(await questions.last_history(bus)))
            case SayHistory(history, message_id):
                now = UnixSeconds(self._clock.now())
                await questions.say_history(bus, history, message_id, by=self._node, at=now)
                reading.history_said()
            case Rest():
                raise AssertionError("nothing to ask")
            case _ as never:
                assert_never(never)

    async def _take_slowly(self, results: Iterable[Result]) -> None:
        until = self._clock.mono() + TURN_SECONDS
        for result in results:
            self._take_one(result)
            if self._clock.mono() > until:
                self._taken()
                await asyncio.sleep(0)
                until = self._clock.mono() + TURN_SECONDS
        self._taken()

    def _take(self, results: Iterable[Result]) -> None:
        for result in results:
            self._take_one(result)
        self._taken()

    def _take_one(self, result: Result) -> None:
        if self._is_lost:
            return
        match result:
            case ReadOrder(seq, order):
                position = self.position_of(seq)
                self.table.apply(order, position)
                self._measures.purge_orders_applied.value += 1
                for call in self._on_order:
                    call(order, position)
            case ReadOther(seq, tick, fault):
                self.table.advance(self.position_of(seq))
                if tick is not None:
                    self._prove(tick)
                elif fault:
                    self._cannot_read(seq, fault)
            case Begin(history, seq, because):
                self._begin(history, seq, because)
            case _ as never:
                assert_never(never)

    def _taken(self) -> None:
        reading = self._reading
        suspended = reading.suspended or self._is_lost
        if suspended and not self.suspended:
            self.proven_at = float("-inf")
            self.caught_up.clear()
        self.suspended = suspended
        if reading.rewinds != self._rewinds:
            self._measures.purge_rewinds.value += reading.rewinds - self._rewinds
            self._rewinds = reading.rewinds
            extra = {"read": reading.applied, "history": reading.history}
            _log.error(
                "the purge log lost what had been read; all that is stored will be validated", extra=extra
            )
        if self.proven_at > 0.0 and not self.caught_up.is_set() and not suspended and reading.is_caught_up:
            self.caught_up.set()
        self._waiting.reached(self.table.applied)

    def _begin(self, history: str, seq: int, because: Began) -> None:
        """All that is older is unknown from now on. Writes a number to the disk where the history is another."""
        if history != self._entered:
            try:
                self._number = self._histories.enter(history, after=self._number)
            except (OSError, StoreFault) as error:
                self._is_lost = True
                _log.error(
                    "a history has no number; purges are read no more until a restart",
                    extra={"why": str(error)},
                )
                return
            self._entered = history
        self.table.begin(self.position_of(seq))
        self._measures.purge_begins.of(because.value).value += 1
        extra = {"because": because.value, "history": history, "after": seq}
        level = logging.INFO if because is Began.NEW else logging.WARNING
        _log.log(level, "purges are read from here; what was stored before is unknown", extra=extra)

    def _prove(self, tick: Tick) -> None:
        now = self._clock.mono()
        self.tick_read_at = now
        instance, beat = tick.heard.get(self._node, ("", 0))
        history, least = self._least
        if history == self._reading.history and self._reading.applied < least:
            return
        if instance == self._instance and self.proven_at < beat / 1000.0 <= now:
            self.proven_at = beat / 1000.0

    def _cannot_read(self, seq: int, fault: str) -> None:
        self._measures.purge_messages_bad.value += 1
        now = self._clock.mono()
        if now - self._told_at >= TOLD_SECONDS:
            self._told_at = now
            _log.error("a message of the purge log cannot be read; skipped", extra={"seq": seq, "why": fault})
