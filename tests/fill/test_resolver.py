"""Origin names, asked of a real name server over UDP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from edge.errors import UpstreamFault
from edge.fill.resolver import Resolver, ResolverSettings
from edge.measures import Measures
from tests.kit.clock import ManualClock
from tests.kit.nameserver import NameServer
from tests.kit.waiting import PATIENCE

SHOP = ("shop.test", "A")


@dataclass
class Desk:
    server: NameServer
    resolver: Resolver
    clock: ManualClock
    measures: Measures

    async def fault(self, name: str = "shop.test") -> str:
        with pytest.raises(UpstreamFault) as raised:
            await self.resolver.resolve(name)
        return raised.value.proxy_status

    async def addresses(self, name: str = "shop.test") -> tuple[str, ...]:
        return (await self.resolver.resolve(name)).addresses

    def counted(self) -> Mapping[str, float]:
        cells = self.measures.registry.snapshot()["perigee_name_lookups_total"]["cells"]
        return {cell["values"][0]: cell["value"] for cell in cells if cell["value"]}


@asynccontextmanager
async def desk(**settings: float) -> AsyncIterator[Desk]:
    clock, measures = ManualClock(), Measures()
    async with NameServer() as server:
        made = ResolverSettings(nameservers=(server.address,), **settings)  # type: ignore[arg-type]  # by the test
        resolver = Resolver(made, clock, measures)
        try:
            yield Desk(server, resolver, clock, measures)
        finally:
            await resolver.aclose()


async def test_both_families_are_asked_for():
    async with desk() as at:
        at.server.records = {
            SHOP: (60, ["192.0.2.1", "192.0.2.2"]),
            ("shop.test", "AAAA"): (60, ["2001:db8::1"]),
        }
        assert set(await at.addresses()) == {"192.0.2.1", "192.0.2.2", "2001:db8::1"}


@pytest.mark.parametrize(
    "ttl,held",
    [(60, 60.0), (0, 1.0), (1, 1.0), (2, 2.0), (3600, 3600.0), (3601, 3600.0), (86_400, 3600.0)],
)
async def test_the_ttl_is_honoured_within_its_bounds(ttl: int, held: float):
    async with desk() as at:
        at.server.records[SHOP] = (ttl, ["192.0.2.1"])
        assert (await at.resolver.resolve("shop.test")).until == at.clock.mono() + held


async def test_the_shortest_ttl_of_a_chain_counts():
    async with desk() as at:
        at.server.records = {
            ("shop.test", "CNAME"): (7, ["real.test"]),
            ("real.test", "A"): (300, ["192.0.2.1"]),
        }
        resolved = await at.resolver.resolve("shop.test")
        assert (resolved.addresses, resolved.until) == (("192.0.2.1",), at.clock.mono() + 7.0)


async def test_a_name_is_asked_for_again_when_its_time_is_over_and_not_before():
    async with desk(min_ttl=5.0) as at:
        at.server.records[SHOP] = (0, ["192.0.2.1"])
        await at.addresses()
        at.server.records[SHOP] = (0, ["192.0.2.9"])
        at.clock.advance(4.9)
        assert (await at.addresses("SHOP.test."), at.server.count("shop.test")) == (("192.0.2.1",), 1)
        at.clock.advance(0.1)
        assert (await at.addresses(), at.server.count("shop.test")) == (("192.0.2.9",), 2)
        assert at.counted() == {"answered": 2, "cached": 1}


async def test_a_hundred_who_ask_at_once_are_one_question():
    async with desk() as at:
        at.server.records[SHOP] = (60, ["192.0.2.1"])
        answers = await asyncio.gather(*[at.addresses() for _ in range(100)])
        assert (set(answers), at.server.count("shop.test")) == ({("192.0.2.1",)}, 1)


async def test_one_who_stops_waiting_does_not_end_the_question():
    async with desk() as at:
        at.server.records[SHOP] = (60, ["192.0.2.1"])
        at.server.held = []
        leaver = asyncio.ensure_future(at.addresses())
        stayer = asyncio.ensure_future(at.addresses())
        await at.server.bell.until(
            lambda: at.server.count("shop.test") == 1, "a query", seen=lambda: at.server.asked
        )
        leaver.cancel()
        at.server.release()
        assert await stayer == ("192.0.2.1",)
        with pytest.raises(asyncio.CancelledError):
            await leaver


@pytest.mark.parametrize(
    "records,rcode",
    [
        ({}, None),
        ({("shop.test", "TXT"): (60, ['"x"'])}, None),
        ({SHOP: (60, ["192.0.2.1"])}, "SERVFAIL"),
        ({SHOP: (60, ["192.0.2.1"])}, "REFUSED"),
    ],
)
async def test_a_name_without_an_address_is_a_502_and_remembered_for_a_while(records, rcode):
    async with desk(timeout=0.2, tries=1, negative_ttl=5.0) as at:
        at.server.records, at.server.rcode = records, rcode
        assert await at.fault() == "dns_error"
        asked = len(at.server.asked)
        at.clock.advance(4.9)
        assert (await at.fault(), len(at.server.asked)) == ("dns_error", asked)
        at.server.records, at.server.rcode = {SHOP: (60, ["192.0.2.1"])}, None
        at.clock.advance(0.1)
        assert await at.addresses() == ("192.0.2.1",)
        assert at.counted() == {"failed": 1, "cached": 1, "answered": 1}


async def test_a_name_server_that_says_nothing_is_a_504():
    async with desk(timeout=0.05, tries=1) as at:
        at.server.is_silent = True
        with pytest.raises(UpstreamFault) as raised:
            await at.resolver.resolve("shop.test")
        assert (raised.value.status, raised.value.proxy_status) == (504, "dns_timeout")
        assert at.counted() == {"timed-out": 1}


async def test_an_old_answer_serves_while_look_ups_fail_but_not_for_ever():
    async with desk(negative_ttl=5.0, serve_expired=100.0) as at:
        at.server.records[SHOP] = (60, ["192.0.2.1"])
        await at.addresses()
        at.server.rcode = "SERVFAIL"
        at.clock.advance(61.0)
        for _ in range(3):
            assert await at.addresses() == ("192.0.2.1",)
            at.clock.advance(5.0)
        at.clock.advance(90.0)
        assert await at.fault() == "dns_error"
        at.server.rcode = None
        at.clock.advance(5.0)
        assert await at.addresses() == ("192.0.2.1",)


async def test_localhost_needs_no_name_server():
    async with desk() as at:
        assert set(await at.addresses("localhost")) <= {"127.0.0.1", "::1"}
        assert at.server.asked == []


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".test", "x." * 130 + "test"])
async def test_what_is_no_name_is_a_502(name: str):
    async with desk() as at:
        assert await at.fault(name) == "dns_error"


async def test_names_beyond_the_bound_are_forgotten_oldest_first():
    async with desk(max_names=2) as at:
        for name in ("a.test", "b.test", "c.test"):
            at.server.records[name, "A"] = (60, ["192.0.2.1"])
            await at.addresses(name)
        await at.addresses("c.test")
        await at.addresses("b.test")
        await at.addresses("a.test")
        assert [at.server.count(name) for name in ("a.test", "b.test", "c.test")] == [2, 1, 1]


async def test_closing_ends_questions_under_way():
    async with desk() as at:
        at.server.is_silent = True
        waiting = asyncio.ensure_future(at.resolver.resolve("shop.test"))
        await at.server.bell.until(lambda: bool(at.server.asked), "a query", seen=lambda: at.server.asked)
        await at.resolver.aclose()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(asyncio.CancelledError):
                await waiting
