"""An origin in trouble, over real sockets: slow, resetting, failing, gone; and a neighbour's storm.

Time is a hand-moved clock's, and how long something takes is told in rounds: the origin answers all that it has when a round
ends. So "twice as long" is a count, and a busy machine changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from edge.errors import UpstreamFault
from edge.fill.upstream import HeldBack
from edge.semantics.rules import BreakerRules, ProtectionRules, Timeouts
from origin_shield.breaker import State
from origin_shield.origin import ProtectedUpstream
from tests.fill.test_pool import CLEAN, close, reset, stall
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.protected import asked, protected
from tests.kit.waiting import Gate, until

CAP = 4
RULES = ProtectionRules(
    max_in_flight=CAP,
    queue=1000,
    breaker=BreakerRules(share=0.8, requests=10, window=10.0, rest=5.0, rest_max=20.0, probes=2),
)


async def cut(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_head(200, {"Content-Length": "10"})
    await connection.send_raw(b"half.")
    await connection.close()


async def outcomes(upstream: ProtectedUpstream, count: int) -> Counter[str]:
    """So many clients at once."""
    ends = await asyncio.gather(*(asked(upstream) for _ in range(count)), return_exceptions=True)
    told: Counter[str] = Counter()
    for end in ends:
        match end:
            case HeldBack():
                told["held back"] += 1
            case UpstreamFault():
                told["failed"] += 1
            case (status, _):
                told[str(status)] += 1
            case _:
                raise AssertionError(end)
    return told


@pytest.mark.parametrize(
    "trouble",
    [stall, reset, close, cut, Canned(500), Canned(503)],
    ids=["slow", "resetting", "closing", "cutting bodies", "500s", "503s"],
)
async def test_the_breaker_opens_half_opens_and_closes_and_the_cap_holds_all_the_while(trouble):
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=RULES, retries=1)
        hasty = Timeouts(connect=5.0, first_byte=0.05, between_bytes=5.0, total=20.0)
        hurried = on.upstream(origin.port, protection=RULES, timeouts=hasty) if trouble is stall else upstream
        clock = on.on.clock
        assert await outcomes(upstream, 20) == {"200": 20}

        origin.on("/a", trouble)
        clock.advance(10.0)
        before = len(origin.requests)
        told = await outcomes(hurried, 60)
        assert on.state().breaker is State.OPEN
        assert told["held back"] >= 60 - 10 - CAP
        assert len(origin.requests) - before <= 2 * (10 + CAP), "twice for the retries that there may be"

        sent = len(origin.requests)
        clock.advance(4.9)
        assert await outcomes(upstream, 30) == {"held back": 30}
        assert len(origin.requests) == sent

        clock.advance(0.1)
        assert on.state().breaker is State.HALF_OPEN
        await outcomes(hurried, 30)
        assert on.state().breaker is State.OPEN, "it is not well yet"
        assert len(origin.requests) - sent <= 2 * RULES.breaker.probes

        origin.on("/a", CLEAN)
        clock.advance(9.9)
        assert await outcomes(upstream, 5) == {"held back": 5}, "twice as long this time"
        clock.advance(0.1)
        told = await outcomes(upstream, 30)
        assert told["200"] >= RULES.breaker.probes
        assert on.state().breaker is State.CLOSED
        assert await outcomes(upstream, 30) == {"200": 30}
        await on.until_free()
        assert origin.in_flight_max <= CAP


async def test_an_origin_that_is_gone_for_a_minute_is_asked_a_few_times_in_it():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=RULES)
        clock = on.on.clock
        await outcomes(upstream, 5)
        await origin.stop_listening()
        for connection in origin.connections:
            await connection.close()
        failed = 0
        for _ in range(600):
            failed += (await outcomes(upstream, 5))["failed"]
            clock.advance(0.1)
        assert failed <= 40, "of 3000"
        await origin.listen()
        clock.advance(RULES.breaker.rest_max)
        await outcomes(upstream, 5)
        assert await outcomes(upstream, 5) == {"200": 5}


# --- a storm next door ---


@dataclass
class Rounds:
    """An origin whose answers take one round each."""

    number: int = 0
    gate: Gate = field(default_factory=Gate)

    async def answer(self, request: OriginRequest, connection: OriginConnection) -> None:
        await self.gate.passed()
        await connection.send(CLEAN)

    def end(self) -> None:
        """All that the origin has is answered now."""
        gate, self.gate = self.gate, Gate()
        self.number += 1
        gate.release()


async def storm(upstream: ProtectedUpstream) -> None:
    """A client that asks again as soon as it has an answer, and for something else each time."""
    number = 0
    while True:
        number += 1
        await asked(upstream, f"/a?{number}")


async def quiet(upstream: ProtectedUpstream, rounds: Rounds) -> int:
    """How many rounds one request takes."""
    began = rounds.number
    await asked(upstream)
    return rounds.number - began


async def waits(storms: dict[str, int], *, cap: int, times: int) -> list[int]:
    """How many rounds requests of a quiet site take, one new one in each, beside so many clients of stormy sites."""
    rounds = Rounds()
    async with ScriptedOrigin({"/a": rounds.answer}) as origin, protected() as on:
        rules = ProtectionRules(max_in_flight=cap, queue=5000, queue_deadline=60.0)
        sites = {name: on.site(origin.port, name=name, protection=rules) for name in ("quiet", *storms)}
        on.protection.apply(sites.values())
        upstreams = {name: on.protection.upstream(site) for name, site in sites.items()}
        stormy = [
            asyncio.ensure_future(storm(upstreams[name]))
            for name, many in storms.items()
            for _ in range(many)
        ]
        asking: list[asyncio.Task[int]] = []

        async def is_settled() -> bool:
            """Everybody either waits for a place or has been heard by the origin, in this round."""
            state, out = on.state(), len(stormy) + sum(not task.done() for task in asking)
            return rounds.gate.waiting == state.in_flight and state.in_flight + state.queue == out

        while len(asking) < times or not all(task.done() for task in asking):
            if len(asking) < times:
                asking.append(asyncio.ensure_future(quiet(upstreams["quiet"], rounds)))
            await until(is_settled, every=0)
            rounds.end()
        for task in stormy:
            task.cancel()
        await asyncio.gather(*stormy, return_exceptions=True)
        assert origin.in_flight_max <= cap
        return sorted(task.result() for task in asking)


@pytest.mark.parametrize("storms", [{"a": 100}, {"a": 60, "b": 60, "c": 60}], ids=["one", "three"])
async def test_a_storm_on_one_site_leaves_another_within_twice_its_time(storms: dict[str, int]):
    alone = await waits({}, cap=16, times=20)
    beside = await waits(storms, cap=16, times=20)
    assert set(alone) == {1}
    assert beside[int(len(beside) * 0.99)] <= 2 * alone[-1]
