"""Active checks: what is sent, what counts as working, and that they need no place."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from edge.semantics.rules import CheckRules, OriginAddress, ProtectionRules, SiteRules
from origin_shield.checks import wanted
from origin_shield.guard import Guard
from tests.fill.test_pool import close, stall
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.protected import Protected, asked, protected
from tests.kit.waiting import until

OFTEN = CheckRules(path=b"/up?x=1", interval=0.02, timeout=2.0, down_after=2, up_after=2)
CHECKED = ProtectionRules(check=OFTEN)
HASTY = ProtectionRules(check=replace(OFTEN, timeout=0.05))


async def seen(on: Protected, outcome: str, times: int = 3) -> None:
    async def is_seen() -> bool:
        return on.counted("perigee_origin_checks_total").get(outcome, 0) >= times

    await until(is_seen)


@pytest.mark.parametrize(
    "rule,outcome",
    [
        (Canned(200), "up"),
        (Canned(204), "up"),
        (Canned(302, {"Location": "/"}), "up"),
        (Canned(404), "down"),
        (Canned(503), "down"),
        (close, "down"),
        (stall, "down"),
    ],
)
async def test_what_works_answers_2xx_or_3xx_in_time(rule, outcome: str):
    async with ScriptedOrigin({"/up": rule}) as origin, protected() as on:
        on.upstream(origin.port, protection=HASTY if rule is stall else CHECKED)
        await seen(on, outcome)
        assert on.counted("perigee_origin_checks_total").keys() == {outcome}
        assert on.state().is_out == (outcome == "down")
        assert origin.requests[0].target == b"/up?x=1"


async def test_an_origin_that_is_not_there_is_down_and_one_that_comes_is_up():
    async with ScriptedOrigin({"/up": Canned()}) as origin, protected() as on:
        await origin.stop_listening()
        on.upstream(origin.port, protection=CHECKED)
        await seen(on, "down")
        assert on.counted("perigee_origin_ejections_total") == {"checks": 1}
        await origin.listen()
        await seen(on, "up")
        assert not on.state().is_out


async def test_a_check_passes_where_every_place_is_held():
    async with ScriptedOrigin({"/up": Canned(), "/a": Canned()}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=ProtectionRules(max_in_flight=1, check=OFTEN))
        gate = origin.hold("/a")
        asking = asyncio.ensure_future(asked(upstream))
        await gate.wait_waiting(1)
        await seen(on, "up")
        gate.release()
        await asking


async def test_where_no_connection_is_free_nothing_is_learned():
    async with ScriptedOrigin({"/a": Canned()}) as origin, protected() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, protection=HASTY, max_connections=1)
        asking = asyncio.ensure_future(asked(upstream))
        await gate.wait_waiting(1)
        await seen(on, "skipped")
        gate.release()
        await asking
        assert not on.state().is_out


async def test_what_is_no_longer_wanted_ends_and_the_rest_goes_on():
    async with ScriptedOrigin({"/up": Canned(), "/other": Canned()}) as origin, protected() as on:
        on.upstream(origin.port, protection=CHECKED)
        await origin.wait_requests(2, "/up")
        other = ProtectionRules(check=CheckRules(path=b"/other", interval=0.02))
        on.upstream(origin.port, protection=other)
        await origin.wait_requests(1, "/other")
        sent = len(origin.seen("/up"))
        await origin.wait_requests(4, "/other")
        assert len(origin.seen("/up")) <= sent + 1
        on.upstream(origin.port)
        running = len(on.protection._checks._running)
        assert running == 0


@pytest.mark.parametrize(
    "said,host",
    [
        (SiteRules(hostnames=(b"*.a.org", b"www.a.org")), b"www.a.org"),
        (SiteRules(hostnames=(b"*.a.org",)), b"10.0.0.1:81"),
        (SiteRules(protection=ProtectionRules(check=CheckRules(b"/", b"said.org"))), b"said.org"),
    ],
)
def test_the_host_is_what_is_said_or_the_sites_own(said: SiteRules, host: bytes):
    guard: Guard = object()  # type: ignore[assignment]  # it is told nothing
    assert wanted(said, OriginAddress(b"http", b"10.0.0.1", 81), guard).host == host
