"""Purgers, and that what they purge must be gone: a cache that only deletes is found out, and so is one that lies."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from edge.purge.signing.keys import Algorithm
from edge.purge.signing.private_keys import new_signing_key
from tests.kit.toy_cache import CLOCK, PLAIN, AlwaysLate, Toy, Way, read_once
from tools.soaking.checker import Checker
from tools.soaking.origin import Origin
from tools.soaking.pages import Kind, of_kind
from tools.soaking.purgers import Purger, Purges, Scene

URL = of_kind(Kind.URL, PLAIN)


@asynccontextmanager
async def purging(origin: Origin, toy: Toy, checker: Checker, purges: Purges) -> AsyncIterator[Purger]:
    key = new_signing_key("toy", Algorithm.ED25519, secrets.token_bytes)
    async with aiohttp.ClientSession() as session:
        scene = Scene(origin, checker, [toy.place], key, CLOCK, time.time, session)
        yield Purger(scene, purges, random.Random(1))


@pytest.mark.parametrize(
    ("way", "stale"),
    [(Way.FENCED, 0), (Way.DELETES, 1), (Way.LIES, 1)],
    ids=lambda said: said.name.lower() if isinstance(said, Way) else "",
)
async def test_a_fill_that_is_late_must_not_outlive_the_purge(way: Way, stale: int) -> None:
    checker, purges = Checker(15.0), Purges()
    async with (
        Origin(AlwaysLate()) as origin,
        Toy(origin.port, way) as toy,
        purging(origin, toy, checker, purges) as purger,
    ):
        late = asyncio.ensure_future(read_once(toy.place, checker))
        while not origin.asked:  # noqa: ASYNC110  # its own loop, a turn at a time
            await asyncio.sleep(0)
        assert await purger.one(URL)
        await late
        assert checker.counts.stale == 0, "it was asked for before"
        await read_once(toy.place, checker)
    assert checker.counts.stale == stale
    assert (purges.asked, purges.complete, checker.taken) == (1, 1, 1)


async def test_a_cache_that_lies_is_found_out_by_what_it_has_already() -> None:
    checker, purges = Checker(15.0), Purges()
    async with (
        Origin(AlwaysLate()) as origin,
        Toy(origin.port, Way.LIES) as toy,
        purging(origin, toy, checker, purges) as purger,
    ):
        await read_once(toy.place, checker)
        assert await purger.one(of_kind(Kind.EVERYTHING, PLAIN))
        await read_once(toy.place, checker)
    assert checker.counts.stale == 1


async def test_a_node_that_the_receipt_does_not_name_is_not_held_to_it_yet() -> None:
    checker, purges = Checker(15.0), Purges()
    async with (
        Origin(AlwaysLate()) as origin,
        Toy(origin.port, Way.LIES, names=False) as toy,
        purging(origin, toy, checker, purges) as purger,
    ):
        await read_once(toy.place, checker)
        assert await purger.one(URL)
        await read_once(toy.place, checker)
    assert (checker.counts.stale, purges.incomplete) == (0, 1)


async def test_what_is_not_acknowledged_is_sent_again_under_the_same_key() -> None:
    checker, purges = Checker(15.0), Purges()
    async with (
        Origin(AlwaysLate()) as origin,
        Toy(origin.port, Way.FENCED, unavailable=1) as toy,
        purging(origin, toy, checker, purges) as purger,
    ):
        assert await purger.one(URL)
        first, second = toy.keys
    assert first == second
    assert (purges.repeated, purges.refused) == (1, {"503 log-unavailable": 1})
