"""The store against a dictionary: memory and a real disk, with writes that wait and reads that are under way.

The model knows the newest response of each variant of each key. The store may have lost it (evicted, dropped, damaged);
what it must never do is give out anything else: nothing that was replaced, freshened or forgotten, in no order of events.
Purges are ordered, and a sweep goes on in between: at its end what was purged is gone, and all else is where it was.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.semantics.selectors import Everything, Selector
from edge.semantics.stored import Nominated, StoredResponse
from edge.store.disk import DiskTier
from edge.store.memory import MemoryTier
from edge.store.spool import DiskSpool
from edge.store.store import Store
from tests.kit.disk import MB, SMALL, primary
from tests.kit.stores import freshened, store_room, version_of
from tests.kit.sweeps import Orders, sweep_of, swept, tag, tagged, uri

T = TypeVar("T")
LIMITS = replace(SMALL, busy_seconds=5.0)
MEMORY, MAX_OBJECT, BOUND = 20_000, 8_000, 60_000

names = st.integers(0, 2)
variants = st.sampled_from([(), ((b"accept-encoding", b"gzip"),), ((b"accept-encoding", None),)])
lengths = st.sampled_from([0, 10, 900, 1100, 5_000, 30_000, 300_000])


@dataclass(eq=False)
class Asked:
    """A look-up under way."""

    name: int
    task: asyncio.Task[list[StoredResponse]]


@dataclass(eq=False)
class Spooling:
    """A large body on its way in. is_clean: no invalidation since it began; a tainted fill publishes nothing."""

    name: int
    stored: StoredResponse
    body: bytes
    spool: DiskSpool
    is_clean: bool = True


def told_apart(found: list[StoredResponse]) -> list[tuple[bytes, bytes | None, int]]:
    """By all that the model changes."""
    return sorted((stored.body_id, version_of(stored), stored.fence) for stored in found)


class StoreModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="store-model-"))
        self.loop = asyncio.new_event_loop()
        self.newest: dict[tuple[int, Nominated], StoredResponse] = {}
        self.bodies: dict[bytes, bytes] = {}
        self.asked: list[Asked] = []
        self.spooling: list[Spooling] = []
        self.versions = 0
        self.writes_go: threading.Event | None = None
        self.reads_go: threading.Event | None = None
        self.room = store_room(self.directory, limits=LIMITS)
        self.orders = Orders()
        self.store = self.opened()
        self.sweep = sweep_of(self.store, self.orders, self.room)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(doing, 20))

    def opened(self) -> Store:
        async def opening() -> Store:
            store = Store(
                MemoryTier(MEMORY, MAX_OBJECT),
                DiskTier(self.directory, 4 * MB, limits=LIMITS),
                measures=self.room.measures,
                write_behind_bytes=BOUND,
                on_fault=self.room.faults.append,
            )
            await store.open()
            return store

        return self.run(opening())

    def new(self, name: int, nominated: Nominated, length: int) -> tuple[StoredResponse, bytes]:
        fence = self.orders.table.applied
        stored, body = tagged(name, b"%d" % (name % 2), length, fence=fence, nominated=nominated)
        self.bodies[stored.body_id] = body
        return stored, body

    def check(self, name: int, found: list[StoredResponse]) -> None:
        """Each variant once, and each of them the newest there is."""
        assert len({stored.nominated for stored in found}) == len(found)
        for stored in found:
            newest = self.newest.get((name, stored.nominated))
            assert newest is not None, version_of(stored)
            assert (stored.body_id, version_of(stored)) == (newest.body_id, version_of(newest))

    # -- changes --

    @rule(name=names, nominated=variants, length=lengths)
    def put(self, name: int, nominated: Nominated, length: int) -> None:
        stored, body = self.new(name, nominated, length)
        self.newest[name, nominated] = stored
        self.store.put(stored, body)

    @rule(name=names, nominated=variants, validated_now=st.booleans())
    def freshen(self, name: int, nominated: Nominated, validated_now: bool) -> None:
        old = self.newest.get((name, nominated))
        if old is not None:
            self.versions += 1
            new = freshened(old, b"freshened %d" % self.versions)
            if validated_now:
                new = replace(new, fence=self.orders.table.applied)
            self.newest[name, nominated] = new
            self.store.freshen(old, new)

    @rule(name=names)
    def forget(self, name: int) -> None:
        for key in [key for key in self.newest if key[0] == name]:
            del self.newest[key]
        for spooling in self.spooling:
            spooling.is_clean = spooling.is_clean and spooling.name != name
        self.store.forget(primary(name))

    @rule(name=names, nominated=variants)
    def forget_one(self, name: int, nominated: Nominated) -> None:
        stored = self.newest.pop((name, nominated), None)
        if stored is not None:
            self.store.forget_one(stored)

    # -- without waiting --

    @rule(name=names)
    def at_hand(self, name: int) -> None:
        held = self.store.at_hand(primary(name))
        self.check(name, [each.value for each in held])
        for each in held:
            assert each.body == self.bodies[each.value.body_id]

    # -- a large body on its way in --

    @precondition(lambda self: self.writes_go is None and len(self.spooling) < 3)
    @rule(name=names, nominated=variants)
    def begin_spooling(self, name: int, nominated: Nominated) -> None:
        stored, body = self.new(name, nominated, 300_000)

        async def beginning() -> DiskSpool | None:
            spool = await self.store.open_spool(stored, None)
            assert spool is not None
            await spool.append(body)
            return spool

        spool = self.run(beginning())
        assert spool is not None
        self.spooling.append(Spooling(name, stored, body, spool))

    @precondition(lambda self: self.spooling and self.writes_go is None)
    @rule(published=st.booleans())
    def end_spooling(self, published: bool) -> None:
        spooling = self.spooling.pop(0)
        if published and spooling.is_clean:
            self.newest[spooling.name, spooling.stored.nominated] = spooling.stored
            self.run(spooling.spool.finish(spooling.stored))
        else:
            spooling.spool.abort()

    # -- purges --

    @rule(item=st.sampled_from([uri(0), uri(1), tag(b"0"), tag(b"1"), Everything()]), soft=st.booleans())
    def order(self, item: Selector, soft: bool) -> None:
        self.sweep.applied(self.orders.give(item, soft=soft))

    @precondition(lambda self: self.writes_go is None and self.reads_go is None)
    @rule()
    def sweep_a_little(self) -> None:
        self.run(self.sweep.turn())
        self.orders.clock.advance(1.0)

    @precondition(lambda self: self.writes_go is None and self.reads_go is None)
    @rule()
    def sweep_all(self) -> None:
        """What was purged is gone, and all else is where it was."""
        self.settle()
        before = self.run(self.everywhere())
        self.sweep.look_everywhere()
        self.run(swept(self.sweep, self.orders))
        self.settle()
        after = self.run(self.everywhere())
        for were, are in zip(before, after, strict=True):
            assert told_apart(are) == told_apart([each for each in were if not self.orders.is_gone(each)])

    async def everywhere(self) -> tuple[list[StoredResponse], list[StoredResponse]]:
        """What is in memory, and what is on disk."""
        contents = self.store.contents
        rows = await contents.look(contents.keys_on_disk())
        return [held.value for held in self.store.memory], [
            row.stored for row in rows if row.stored is not None
        ]

    # -- look-ups --

    @precondition(lambda self: self.reads_go is None)
    @rule(name=names)
    def load(self, name: int) -> None:
        self.check(name, self.run(self.store.load(primary(name))))

    @precondition(lambda self: self.reads_go is None)
    @rule(name=names)
    def load_and_read(self, name: int) -> None:
        async def reading() -> list[tuple[StoredResponse, bytes | None]]:
            read: list[tuple[StoredResponse, bytes | None]] = []
            for stored in await self.store.load(primary(name)):
                opened = await self.store.open_body(stored)
                if opened is None:
                    read.append((stored, None))
                    continue
                body, stream = b"", opened.stream(0, opened.length)
                while piece := await stream.read():
                    body += piece
                read.append((stored, body))
            return read

        for stored, body in self.run(reading()):
            self.check(name, [stored])
            assert body == self.bodies[stored.body_id]

    @rule(name=names)
    def begin_loading(self, name: int) -> None:
        async def beginning() -> None:
            self.asked.append(Asked(name, asyncio.ensure_future(self.store.load(primary(name)))))
            await asyncio.sleep(0)

        self.run(beginning())

    @precondition(lambda self: self.asked)
    @rule(cancel=st.booleans())
    def end_loading(self, cancel: bool) -> None:
        """It gives what is newest now, not what was when it began."""
        self.let_read()
        asked = self.asked.pop(0)
        done_before = asked.task.done()
        if cancel:
            asked.task.cancel()
            self.run(asyncio.wait_for(asyncio.gather(asked.task, return_exceptions=True), 20))
        else:
            found = self.run(asyncio.wait_for(asked.task, 20))
            if not done_before:
                self.check(asked.name, found)

    # -- threads that are slow --

    @precondition(lambda self: self.writes_go is None)
    @rule()
    def hold_up_writes(self) -> None:
        assert self.store._writing is not None
        self.writes_go = threading.Event()
        self.store._writing._thread.submit(self.writes_go.wait)

    @rule()
    def let_write(self) -> None:
        if self.writes_go is not None:
            self.writes_go.set()
            self.writes_go = None

    @precondition(lambda self: self.reads_go is None)
    @rule()
    def hold_up_reads(self) -> None:
        self.reads_go = threading.Event()
        for _ in range(self.store._readers._max_workers):
            self.store._readers.submit(self.reads_go.wait)

    @rule()
    def let_read(self) -> None:
        if self.reads_go is not None:
            self.reads_go.set()
            self.reads_go = None

    @precondition(lambda self: self.writes_go is None)
    @rule()
    def settle(self) -> None:
        assert self.store._writing is not None
        self.run(self.store._writing.settled())
        assert self.store._writing.waiting_bytes == 0
        assert not self.store._writing.pending._keys

    @rule()
    def take_turns(self) -> None:
        self.run(asyncio.sleep(0))

    @precondition(lambda self: self.writes_go is None)
    @rule()
    def tend(self) -> None:
        self.run(self.store.tend())

    def close(self) -> None:
        self.let_write()
        self.let_read()
        for asked in self.asked:
            asked.task.cancel()
        self.run(asyncio.sleep(0))
        self.asked.clear()
        for spooling in self.spooling:
            spooling.spool.abort()
        self.spooling.clear()
        self.run(self.store.aclose())

    @rule()
    def reopen(self) -> None:
        self.close()
        self.store = self.opened()
        self.sweep = sweep_of(self.store, self.orders, self.room)

    # -- what always holds --

    @invariant()
    def memory_has_nothing_but_the_newest(self) -> None:
        for name in range(3):
            self.check(name, [held.value for held in self.store.in_memory(primary(name))])
            for held in self.store.in_memory(primary(name)):
                assert held.body == self.bodies[held.value.body_id]

    @invariant()
    def what_waits_is_bounded(self) -> None:
        assert self.store._writing is not None
        assert 0 <= self.store._writing.waiting_bytes <= BOUND

    @invariant()
    def nothing_failed(self) -> None:
        assert self.room.faults == []

    def teardown(self) -> None:
        self.close()
        self.store = self.opened()
        for name in range(3):
            self.check(name, self.run(self.store.load(primary(name))))
        self.run(self.store.aclose())
        self.loop.close()
        shutil.rmtree(self.directory)


TestStore = pytest.mark.slow(StoreModel.TestCase)
TestStore.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
