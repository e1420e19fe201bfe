"""One request at one origin: what its end says, to whom, and until when its place is held."""

from __future__ import annotations

import pytest

from edge.errors import UpstreamFault
from edge.fill.upstream import Fetched, Timings
from edge.measures import Measures
from edge.semantics.message import EMPTY, ResponseHead, UnixSeconds
from edge.semantics.rules import BreakerRules, EjectionRules, ProtectionRules, SiteRules
from edge.wire.framing import CHUNKED
from origin_shield.breaker import State
from origin_shield.budget import Priority
from origin_shield.gradient import FIRST
from origin_shield.guard import Guard, Visit, share_of
from origin_shield.measures import OriginMeasures
from tests.kit.clock import ManualClock
from tests.kit.scripted_upstream import Coming

RULES = ProtectionRules(breaker=BreakerRules(requests=2, share=0.5), ejection=EjectionRules(failures=2))
SITE = SiteRules(name="a", protection=RULES)
REFUSED = UpstreamFault("refused", proxy_status="connection_refused")


def guarded(*sites: SiteRules, workers: int = 1, clock: ManualClock | None = None) -> Guard:
    guard = Guard("origin:80", (clock or ManualClock()).mono, OriginMeasures(Measures().registry), workers)
    guard.serve(sites or (SITE,))
    return guard


def fetched(status: int = 200, seconds: float = 0.1) -> tuple[Fetched, Coming]:
    coming = Coming()
    timings = Timings(UnixSeconds(100.0), UnixSeconds(100.0 + seconds))
    head = ResponseHead(status, b"", EMPTY)
    return Fetched(head, CHUNKED, coming.reader, None, False, "192.0.2.1:80", timings), coming


async def visit(guard: Guard, rules: ProtectionRules = RULES) -> Visit:
    visit = await guard.enter("a", guard.judges(rules), Priority.CLIENT)
    assert visit is not None, "its breaker is open"
    return visit


def is_out(guard: Guard, rules: ProtectionRules = RULES) -> bool:
    return guard.judges(rules).health.is_out(guard.mono())


def state(guard: Guard, rules: ProtectionRules = RULES) -> State:
    return guard.judges(rules).breaker.state(guard.mono())


@pytest.mark.parametrize("end", ["ends", "breaks off", "is given up"])
async def test_a_place_is_held_until_the_body_is_over(end: str):
    guard = guarded()
    answer, coming = fetched()
    (await visit(guard)).answered(answer)
    assert guard.gate.budget.held == 1
    if end == "ends":
        coming.reader.end()
    elif end == "breaks off":
        coming.reader.fail(UpstreamFault("cut", proxy_status="http_response_incomplete"))
    else:
        coming.reader.abort()
    assert guard.gate.budget.held == 0


async def ended(guard: Guard, how: str) -> None:
    """One request: "2" and "5" are answers of that class, "/" a body that breaks off, "-" none, "o" nothing learned."""
    one = await visit(guard)
    if how == "-":
        one.failed(REFUSED)
    elif how == "o":
        one.gave_up()
    elif how == "!":
        one.failed(UpstreamFault("no connection became free", proxy_status="connection_limit_reached"))
    else:
        answer, coming = fetched(500 if how == "5" else 200)
        one.answered(answer)
        if how == "/":
            coming.reader.fail(UpstreamFault("cut", proxy_status="http_response_incomplete"))
        else:
            coming.reader.end()


@pytest.mark.parametrize(
    "ends,opened,ejected",
    [
        ("22", State.CLOSED, False),
        ("55", State.OPEN, True),
        ("--", State.OPEN, True),
        ("//", State.OPEN, True),
        ("oooo", State.CLOSED, False),
        ("!!!!", State.CLOSED, False),
        ("2-", State.OPEN, False),
        ("22-", State.CLOSED, False),
        ("222-/", State.CLOSED, True),
        ("22-2-", State.CLOSED, False),
    ],
)
async def test_what_the_ends_of_requests_say(ends: str, opened: State, ejected: bool):
    guard = guarded()
    for how in ends:
        await ended(guard, how)
    assert (state(guard), is_out(guard), guard.gate.budget.held) == (opened, ejected, 0)


async def test_while_the_breaker_is_open_nobody_waits_for_a_place():
    guard = guarded()
    await ended(guard, "-")
    await ended(guard, "-")
    assert await guard.enter("a", guard.judges(RULES), Priority.CLIENT) is None
    assert guard.gate.budget.held == 0


async def test_other_rules_to_judge_by_are_another_judge():
    guard = guarded()
    other = ProtectionRules(breaker=BreakerRules(requests=50))
    await ended(guard, "-")
    await ended(guard, "-")
    assert (state(guard, RULES), state(guard, other)) == (State.OPEN, State.CLOSED)
    assert await guard.enter("b", guard.judges(other), Priority.CLIENT) is not None


def test_rules_that_reloads_leave_behind_are_forgotten():
    guard = guarded()
    first = guard.judges(RULES).breaker
    assert guard.judges(RULES).breaker is first
    for n in range(100):
        guard.judges(ProtectionRules(breaker=BreakerRules(requests=100 + n)))
    assert guard.judges(RULES).breaker is not first


def site(name: str, cap: int, queue: int = 100, **more) -> SiteRules:
    return SiteRules(name=name, protection=ProtectionRules(max_in_flight=cap, queue=queue, **more))


@pytest.mark.parametrize(
    "sites,workers,cap,queue",
    [
        ((site("a", 50),), 1, 50, 100),
        ((site("a", 50),), 4, 12, 25),
        ((site("a", 2, 0),), 4, 1, 0),
        ((site("a", 50, 10), site("b", 20, 40)), 1, 20, 40),
        ((site("a", 5000),), 1, 512, 100),  # origin.max_connections
    ],
)
def test_the_lowest_cap_counts_and_workers_share_it(
    sites: tuple[SiteRules, ...], workers: int, cap: int, queue: int
):
    guard = guarded(SITE, workers=workers)
    guard.serve(sites)
    assert (guard.gate.budget.cap, guard.gate.budget.queue) == (cap, queue)


@pytest.mark.parametrize("node,workers,own", [(10, 4, 2), (3, 4, 1), (8, 8, 1), (9, 1, 9)])
def test_a_worker_has_its_part_and_one_at_least(node: int, workers: int, own: int):
    assert share_of(node, workers) == own


async def test_an_adaptive_limit_goes_with_the_time_that_answers_take():
    guard = guarded(site("a", 200, adaptive=True))
    assert guard.gate.budget.cap == FIRST
    for seconds, rounds in ((0.1, 1), (2.0, 40)):
        for _ in range(rounds * 25):
            answer, coming = fetched(seconds=seconds)
            (await visit(guard)).answered(answer)
            coming.reader.end()
    assert guard.gate.budget.cap < FIRST
    guard.serve((site("a", 200),))
    assert guard.gate.budget.cap == 200
