"""A bus to a real server that goes away, freezes, and comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.bus.connection import Bus, Said
from edge.bus.faults import ApiFault, BusFault, BusLost, BusSilent, NobodyThere
from edge.clock import SystemClock
from edge.measures import Measures
from edge.tasks import running
from tests.kit.buses import bus_to, counted
from tests.kit.nats import NatsServer
from tests.kit.valve import Valve
from tests.kit.waiting import PATIENCE, Bell


class Ear:
    """Hears, and rings."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.bell = Bell()

    def __call__(self, said: Said) -> None:
        self.heard.append((said.subject, said.data))
        self.bell.ring()

    async def has(self, count: int) -> None:
        await self.bell.until(lambda: len(self.heard) >= count, f"{count} messages", seen=lambda: self.heard)


async def lost(bus: Bus) -> None:
    async with asyncio.timeout(PATIENCE):
        while bus.is_connected:  # noqa: ASYNC110 - what ends it is a socket's end, in another library
            await asyncio.sleep(0.01)


async def test_who_subscribes_hears_what_is_published(tmp_path: Path):
    ear = Ear()
    async with (
        NatsServer(tmp_path) as server,
        bus_to(server.address()) as bus,
        bus_to(server.address()) as other,
    ):
        await bus.subscribe("a.>", ear)
        await other.publish("a.b", b"one", {"Kind": "first"})
        await other.publish("c", b"not for us")
        await other.publish("a.c", b"two")
        await ear.has(2)
        assert ear.heard == [("a.b", b"one"), ("a.c", b"two")]
        assert bus.rtt is not None and 0.0 < bus.rtt < PATIENCE
        assert (bus.server, bus.fault) == (server.url, "")
        assert bus.server_version[0].isdigit()


async def test_the_server_knows_of_a_subscription_before_it_counts_as_made(tmp_path: Path):
    async with NatsServer(tmp_path) as server, Valve(server.port) as valve:
        address = server.address(urls=(f"nats://127.0.0.1:{valve.listening}",))
        async with bus_to(address) as bus:
            await bus.subscribe("a.>", Ear())
            wire = bytes(valve.heard)
            assert wire.rindex(b"SUB a.> ") < wire.rindex(b"PING")


async def test_a_question_is_answered_by_whoever_listens_with_all_its_parts(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        info = await bus.api("INFO", within=PATIENCE)
        assert "memory" in info
        parts: list[bytes] = []

        def take(said: Said) -> bool:
            parts.append(said.data)
            return said.data == b"end"

        asked: list[str] = []
        await bus._client.subscribe("twice", cb=_answering(bus, asked, [b"1", b"2", b"end"]))  # type: ignore[union-attr]
        await bus.gather("twice", b"?", take, within=PATIENCE)
        assert parts == [b"1", b"2", b"end"]


def _answering(bus: Bus, asked: list[str], parts: list[bytes]):
    async def answer(message):
        asked.append(message.reply)
        for part in parts:
            await bus.publish(message.reply, part)

    return answer


async def test_nobody_there_silence_and_a_no_are_told_apart(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        with pytest.raises(NobodyThere):
            await bus.request("nobody", b"", within=PATIENCE)
        await bus.subscribe("deaf", lambda said: None)
        with pytest.raises(BusSilent):
            await bus.request("deaf", b"", within=0.02)
        with pytest.raises(ApiFault) as raised:
            await bus.api("STREAM.INFO.NONE", within=PATIENCE)
        assert (raised.value.code, raised.value.err_code) == (404, 10059)
        with pytest.raises(BusFault) as refused:
            await bus.publish("a", b"x" * (1 << 21))
        assert refused.value.status == 413
        assert bus._asked == {}


async def test_a_server_that_comes_back_is_found_again_with_all_subscriptions(tmp_path: Path):
    ear, measures, connected = Ear(), Measures(), list[str]()
    async with NatsServer(tmp_path) as server, bus_to(server.address(), measures=measures) as bus:
        bus.on_connect(lambda: connected.append("again"))
        await bus.subscribe("a", ear)
        await server.kill()
        await lost(bus)
        with pytest.raises(BusLost):
            await bus.publish("a", b"nobody keeps this")
        await server.start()
        await bus.connected(PATIENCE)
        await bus.publish("a", b"after")
        await ear.has(1)
        assert ear.heard == [("a", b"after")]
        assert connected == ["again"]
        assert measures.bus_reconnects.value == 1
        assert counted(measures, "perigee_bus_errors_total")[("lost",)] == 1


async def test_who_waits_for_an_answer_hears_at_once_that_the_connection_is_gone(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        await bus.subscribe("deaf", lambda said: None)
        waiting = asyncio.ensure_future(bus.request("deaf", b"", within=60.0))
        await asyncio.sleep(0)
        await server.kill()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(BusLost):
                await waiting


@pytest.mark.slow
async def test_a_server_that_freezes_is_left_for_another(tmp_path: Path):
    async with NatsServer(tmp_path, "n1") as one, NatsServer(tmp_path, "n2") as two:
        address = one.address(urls=(one.url, two.url))
        async with bus_to(address) as bus:
            frozen, other = (one, two) if bus.server == one.url else (two, one)
            frozen.freeze()
            assert await bus.check(0.05) is False
            await bus.connected(PATIENCE)
            assert bus.server == other.url
            assert await bus.check(PATIENCE) is True
            frozen.thaw()


@pytest.mark.slow
async def test_a_frozen_server_is_noticed_without_asking(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        server.freeze()
        await lost(bus)
        server.thaw()
        await bus.connected(PATIENCE)


async def test_a_server_that_is_not_there_is_a_fault_and_tried_on(tmp_path: Path):
    server, measures = NatsServer(tmp_path), Measures()
    await server.start()
    await server.stop()
    bus = Bus(server.address(), name="n1", clock=SystemClock(), measures=measures)
    try:
        with pytest.raises(BusLost, match="no connection to the bus"):
            await bus.connect(within=0.05)
        await server.start()
        await bus.connected(PATIENCE)
        assert measures.bus_connected.read() == 1
    finally:
        await bus.aclose()
        await server.kill()
    assert counted(measures, "perigee_bus_errors_total")[("connect",)] >= 1
    assert measures.bus_connected.read() == 0


async def test_a_wrong_token_is_told_and_tried_on(tmp_path: Path):
    async with NatsServer(tmp_path) as server:
        bus = Bus(server.address(token="wrong"), name="n1", clock=SystemClock(), measures=Measures())
        try:
            with pytest.raises(BusLost, match=r"(?i)authorization"):
                await bus.connect(within=0.2)
        finally:
            await bus.aclose()


async def test_a_subject_that_is_not_allowed_is_counted(tmp_path: Path):
    login = (
        "authorization { default_permissions: { publish: [ok], subscribe: [_INBOX_n1.>] }, "
        "users: [ { user: u, password: p } ] }"
    )
    measures = Measures()
    async with NatsServer(tmp_path, login=login) as server:
        url = server.url.replace("nats://", "nats://u:p@")
        async with bus_to(server.address(urls=(url,), token=None), measures=measures) as bus:
            await bus.publish("forbidden", b"")
            async with asyncio.timeout(PATIENCE):
                while not counted(measures, "perigee_bus_errors_total"):
                    assert await bus.check(PATIENCE)  # it may overtake what is published
            assert counted(measures, "perigee_bus_errors_total") == {("refused",): 1}


async def test_a_listener_that_fails_does_not_end_the_listening(tmp_path: Path):
    ear = Ear()

    def clumsy(said: Said) -> None:
        ear(said)
        raise LookupError("a mistake of ours")

    measures = Measures()
    async with NatsServer(tmp_path) as server, bus_to(server.address(), measures=measures) as bus:
        await bus.subscribe("a", clumsy)
        await bus.publish("a", b"1")
        await bus.publish("a", b"2")
        await ear.has(2)
        assert counted(measures, "perigee_bus_errors_total")[("other",)] >= 1


async def test_closing_leaves_no_task_and_may_be_done_twice(tmp_path: Path):
    async with NatsServer(tmp_path) as server:
        before = running()
        bus = Bus(server.address(), name="n1", clock=SystemClock(), measures=Measures())
        await bus.connect(within=PATIENCE)
        await bus.aclose()
        await bus.aclose()
        assert running() == before
        with pytest.raises(BusLost):
            await bus.request("a", b"", within=1.0)


@pytest.mark.parametrize("turns", range(12))
async def test_it_ends_at_once_whatever_it_is_doing(tmp_path: Path, turns: int):
    """nats-py swallows a cancellation that comes while it closes a connection that failed."""
    nobody = NatsServer(tmp_path, port=1).address()
    bus = Bus(nobody, name="n", clock=SystemClock(), measures=Measures())
    connecting = asyncio.ensure_future(bus.connect(within=PATIENCE))
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE / 2):
        await bus.aclose()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
