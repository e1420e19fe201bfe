"""A sweep over a real store by a real purge table: responses that purges can name, orders that are applied one by one."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable, Standing
from edge.semantics.rules import VaryRules
from edge.semantics.selectors import Selector, Tag, Uri
from edge.semantics.stored import Nominated, Selectors, StoredResponse
from edge.store.store import Store
from edge.store.sweep import Sweep
from tests.kit.clock import ManualClock
from tests.kit.disk import primary
from tests.kit.stored_responses import HERE, NOW
from tests.kit.stores import SMALL_BODY, StoreRoom, response, writing_of

SITE = "a"
VARY = VaryRules()
_ids = itertools.count()


def uri(name: int) -> Uri:
    """The URL of key `name`."""
    return Uri(HERE, b"/%d" % name)


def keys_of(named: Uri) -> tuple[bytes, ...]:
    return (primary(int(named.target[1:])),)


def tagged(
    name: int, tag: bytes = b"", length: int = SMALL_BODY, *, fence: int = 0, nominated: Nominated = ()
) -> tuple[StoredResponse, bytes]:
    """A stored response of key `name` that purges of its URL, site and tag name."""
    stored, body = response(name, length, nominated=nominated)
    selectors = Selectors(SITE, HERE, b"/%d" % name, (tag,) if tag else ())
    return replace(stored, fence=fence, selectors=selectors), body


def put(
    store: Store, name: int, word: bytes = b"", length: int = SMALL_BODY, *, fence: int = 0
) -> StoredResponse:
    stored, body = tagged(name, word, length, fence=fence)
    store.put(stored, body)
    return stored


async def written(store: Store) -> None:
    await writing_of(store).settled()


def held(store: Store) -> set[bytes]:
    """The bodies in memory."""
    return {each.value.body_id for each in store.memory}


def tag(word: bytes) -> Tag:
    return Tag(SITE, word)


class Orders:
    """A purge table, and the judgement by it. cost: seconds of `clock` that one judgement takes; judged: how many there were."""

    def __init__(self, clock: ManualClock | None = None, cost: float = 0.0) -> None:
        self.table = PurgeTable(keys_of)
        self.clock = clock or ManualClock()
        self.cost = cost
        self.judged = 0

    def give(self, *items: Selector, soft: bool = False) -> PurgeOrder:
        """It is in the table."""
        order = PurgeOrder(f"order-{next(_ids)}", NOW, items, soft=soft)
        self.table.apply(order, self.table.applied + 1)
        return order

    def is_gone(self, stored: StoredResponse) -> bool:
        """Whether a hard order names it that is newer than it is."""
        return self.judge(stored, stored.fence) is None

    def judge(self, stored: StoredResponse, clean: int) -> int | None:
        """As the node does it."""
        self.judged += 1
        self.clock.advance(self.cost)
        match self.table.standing(stored, clean, 0, VARY).standing:
            case Standing.HARD:
                return None
            case Standing.VOUCHED:
                return self.table.applied
            case _:
                return clean


class Rests:
    """Stands for sleeping: time passes, and how long the rests were is kept."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self._clock.advance(seconds)
        await asyncio.sleep(0)


def sweep_of(store: Store, orders: Orders, room: StoreRoom, rests: Rests | None = None) -> Sweep:
    """Not running: see `swept`."""
    return Sweep(
        store.contents,
        orders.judge,
        keys_of=keys_of,
        measures=room.measures,
        mono=orders.clock.mono,
        on_fault=room.faults.append,
        sleep=rests or Rests(orders.clock),
    )


async def swept(sweep: Sweep, orders: Orders, *, turns: int = 1_000) -> int:
    """Until nothing is left to do; how many turns that took. What waits to be written is written meanwhile."""
    writing = sweep._contents._writing
    assert writing is not None
    for turn in range(turns):
        if sweep.is_idle:
            return turn
        await sweep.turn()
        orders.clock.advance(1.0)
        await writing.settled()
    raise AssertionError(f"not at its end after {turns} turns")
