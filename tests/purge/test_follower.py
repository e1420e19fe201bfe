"""The reader of a real log."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from edge.bus.durability import make_durable
from edge.clock import SystemClock
from edge.purge import questions
from edge.purge.histories import Histories
from edge.purge.log import acknowledged
from edge.purge.snapshot import load, save
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder, Tick, encode
from edge.semantics.selectors import Site
from tests.kit.buses import TRUSTED, bus_to, counted, log_of_its_own
from tests.kit.followers import INSTANCE, Node, node, seen
from tests.kit.nats import NatsCluster, NatsServer
from tests.kit.waiting import PATIENCE
from tools.ports import free_ports


async def test_orders_come_into_force_in_order_on_every_node(tmp_path: Path):
    async with (
        log_of_its_own(tmp_path) as (server, _),
        node(server.address(), tmp_path / "a") as one,
        node(server.address(), tmp_path / "b", name="n2") as two,
    ):
        await asyncio.gather(one.caught_up(), two.caught_up())
        seq = [await one.purge(name) for name in ("x", "y", "z")][-1]
        assert await two.follower.wait_applied(two.follower.position_of(seq), PATIENCE)
        await one.has("x", "y", "z")
        await two.has("x", "y", "z")
        assert one.follower.history == two.follower.history
        assert one.measures.purge_orders_applied.value == 3
        assert one.measures.purge_lag_messages.read() == one.follower.lag == 0
        token = one.follower.token(one.follower.position_of(seq))
        assert token == f"{one.follower.history}:{seq}".encode()
        assert two.follower.position(token) == two.follower.position_of(seq)


async def test_being_current_is_proven_by_our_own_beat_in_the_log(tmp_path: Path):
    async with (
        log_of_its_own(tmp_path) as (server, _),
        node(server.address(), tmp_path / "a") as supervisor,
        node(server.address(), tmp_path / "a", ticks=False) as worker,
        node(server.address(), tmp_path / "a", instance="other", ticks=False) as stranger,
    ):
        await supervisor.caught_up()
        await worker.caught_up()
        clock = SystemClock()
        assert worker.follower.is_current(clock.mono(), 5.0)
        assert worker.measures.purge_proof_age.read() < 5.0
        assert not stranger.follower.is_current(clock.mono(), 1e9)
        assert not stranger.follower.caught_up.is_set()


async def test_who_joins_a_node_proves_nothing_before_it_has_read_what_the_node_has_said(tmp_path: Path):
    """A tick that it reads on the way may have a beat that is older than what the node said since."""
    async with log_of_its_own(tmp_path) as (server, bus):

        async def tick() -> None:
            said = Tick(UnixSeconds(0), "n", {"n1": (INSTANCE, int(SystemClock().mono() * 1000) - 10)})
            await bus.request(bus.address.tick_subject, encode(said), within=PATIENCE)

        async with node(server.address(), tmp_path / "a", ticks=False) as supervisor:
            await seen(lambda: bool(supervisor.follower.history), lambda: "no history")
            history = supervisor.follower.history
            least = (history, (supervisor.follower.seq_of(supervisor.follower.applied) or 0) + 2)
        async with node(server.address(), tmp_path / "a", ticks=False, least=least) as worker:
            await seen(lambda: worker.follower.history == history, lambda: worker.follower.history)
            await tick()
            await seen(lambda: worker.follower.tick_read_at > 0.0, lambda: "no tick")
            assert worker.follower.proven_at < 0.0
            await tick()
            await worker.caught_up()
        async with node(server.address(), tmp_path / "a", ticks=False, least=("f" * 16, 1 << 40)) as worker:
            await seen(lambda: worker.follower.history == history, lambda: worker.follower.history)
            await tick()
            await worker.caught_up()


async def test_a_beat_from_the_future_proves_nothing(tmp_path: Path):
    async with (
        log_of_its_own(tmp_path) as (server, bus),
        node(server.address(), tmp_path / "a", ticks=False) as one,
    ):
        await seen(lambda: bool(one.follower.history), lambda: one.follower.history)
        clock = SystemClock()
        for beat in (int(clock.mono() * 1000) + 60_000, int(clock.mono() * 1000) - 5_000):
            tick = Tick(UnixSeconds(0), "n", {"n1": (INSTANCE, beat)})
            await bus.request(bus.address.tick_subject, encode(tick), within=PATIENCE)
        await seen(lambda: one.follower.proven_at == beat / 1000, lambda: one.follower.proven_at)


async def test_what_was_missed_while_away_is_fetched(tmp_path: Path):
    async with (
        log_of_its_own(tmp_path) as (server, bus),
        node(server.address(), tmp_path / "a") as one,
    ):
        await one.caught_up()
        await one.bus._client.close()  # type: ignore[union-attr]  # a connection that breaks
        for number in range(50):
            data = encode(PurgeOrder(f"o{number}", UnixSeconds(0.0), (Site("s"),)))
            await bus.request(bus.address.order_subject, data, within=PATIENCE)
        await one.has(*[f"o{number}" for number in range(50)])
        assert counted(one.measures, "perigee_purge_begins_total") == {("new",): 1}


async def deafen(one: Node) -> None:
    """It hears no live messages any more, until it has another connection."""
    client = one.bus._client
    assert client is not None
    (live,) = [each for each in client._subs.values() if each.subject == one.bus.address.live_subjects]
    await live.unsubscribe()


async def test_orders_larger_than_a_batch_are_fetched_too(tmp_path: Path):
    async with (
        log_of_its_own(tmp_path) as (server, bus),
        node(server.address(), tmp_path / "a") as one,
    ):
        await one.caught_up()
        await deafen(one)
        for name in ("x", "y", "z"):
            items = tuple(Site(f"{name}-{number}-{'s' * 249}") for number in range(1_000))
            data = encode(PurgeOrder(name, UnixSeconds(0.0), items))
            assert len(data) > questions.BATCH_BYTES
            seq = acknowledged(await bus.request(bus.address.order_subject, data, within=PATIENCE)).seq
            assert await one.follower.reach(one.follower.position_of(seq), PATIENCE)
        await one.has("x", "y", "z")


async def test_who_needs_more_than_was_read_gets_it_at_once(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, _), node(server.address(), tmp_path / "a") as one:
        await one.caught_up()
        await deafen(one)
        follower = one.follower
        position = follower.position_of(await one.purge("x"))
        assert await follower.reach(position, 1.0)
        assert await follower.reach(position, 0.0)
        assert not await follower.reach(position + 1_000, 0.05)
        assert not await follower.wait_applied(position + 1_000, 0.01)
        assert len(follower._waiting) == 0
        assert one.measures.purge_gap_fills.value >= 1


async def test_a_message_that_cannot_be_read_is_counted_and_skipped(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, bus), node(server.address(), tmp_path / "a") as one:
        await one.caught_up()
        await bus.request(bus.address.order_subject, b"nonsense", within=PATIENCE)
        await one.purge("x")
        await one.has("x")
        assert one.measures.purge_messages_bad.value == 1


async def test_a_restart_goes_on_from_what_was_saved(tmp_path: Path):
    folder = tmp_path / "a"
    async with log_of_its_own(tmp_path) as (server, _):
        async with node(server.address(), folder) as one:
            await one.caught_up()
            await one.purge("x")
            await one.has("x")
            snapshot = one.follower.snapshot()
            assert snapshot is not None
            save(snapshot, folder)
            await one.purge("y")
            applied, floor = one.follower.applied, one.follower.table.floor
        async with node(server.address(), folder) as again:
            await again.caught_up()
            await again.has("y")
            assert [each.order.id for each in again.follower.table.orders] == ["x", "y"]
            assert again.follower.applied >= applied
            assert again.follower.table.floor == floor


async def test_what_was_saved_under_another_number_is_not_used(tmp_path: Path):
    folder = tmp_path / "a"
    async with log_of_its_own(tmp_path) as (server, _):
        async with node(server.address(), folder) as one:
            await one.caught_up()
            snapshot = one.follower.snapshot()
            assert snapshot is not None
            save(snapshot, folder)
        (folder / "histories.json").unlink()
        assert load(folder) is not None
        async with node(server.address(), folder) as again:
            await again.caught_up()
            assert counted(again.measures, "perigee_purge_begins_total") == {("new",): 1}


async def test_a_log_that_was_made_anew_makes_all_that_is_older_unknown(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, bus), node(server.address(), tmp_path / "a") as one:
        await one.caught_up()
        await one.purge("x")
        await one.has("x")
        old, before = one.follower.token(one.follower.applied), one.follower.applied
        await bus.api("STREAM.DELETE.PERIGEE", within=PATIENCE)
        await make_durable(bus, TRUSTED, SystemClock())
        follower = one.follower
        await follower.reach(before + 1_000_000, 0.05)
        await seen(
            lambda: follower.applied >> 48 > before >> 48, lambda: (follower.history, follower.applied)
        )
        assert follower.table.floor > before
        assert follower.position(old) is None
        await one.purge("y")
        await one.has("x", "y")


@pytest.mark.slow
async def test_a_log_set_back_to_a_backup_suspends_until_a_new_history_stands_in_it(tmp_path: Path):
    store = tmp_path / "nats" / "n1"
    async with (
        log_of_its_own(tmp_path / "nats") as (server, _),
        node(server.address(), tmp_path / "a") as one,
        node(server.address(), tmp_path / "b", name="n2") as two,
    ):
        await asyncio.gather(one.caught_up(), two.caught_up())
        await one.purge("kept")
        await server.stop()
        shutil.copytree(store, tmp_path / "backup")
        await server.start()
        for number in range(5):
            await one.purge(f"lost-{number}")
        await seen(lambda: len(two.applied) == 6, lambda: two.applied)
        history, before = one.follower.history, one.follower.applied
        await server.kill()
        shutil.rmtree(store)
        shutil.copytree(tmp_path / "backup", store)
        await server.start()
        await seen(
            lambda: one.follower.history == two.follower.history != history, lambda: one.follower.history
        )
        assert one.follower.table.floor > before
        assert one.measures.purge_rewinds.value + two.measures.purge_rewinds.value >= 1
        seq = await one.purge("after")
        for each in (one, two):
            assert await each.follower.reach(each.follower.position_of(seq), PATIENCE)
            assert each.applied[-1] == "after"
            assert not each.follower.suspended
        await asyncio.gather(one.caught_up(), two.caught_up())


async def test_tokens_that_are_nonsense_are_of_no_position(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, _), node(server.address(), tmp_path / "a") as one:
        await one.caught_up()
        follower, history = one.follower, one.follower.history.encode()
        for token in (
            b"",
            b":",
            history,
            history + b":",
            history + b":x",
            history + b":-1",
            b"0" * 16 + b":1",
        ):
            assert follower.position(token) is None
        assert follower.position(history + b":%d" % (1 << 48)) is None
        assert follower.token(7) == history + b":0", (
            "a position of an older history is before all of this one"
        )
        assert follower.seq_of(7) is None


@pytest.mark.slow
async def test_a_flood_does_not_hold_the_loop(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, bus):
        data = [encode(PurgeOrder(f"o{number}", UnixSeconds(0.0), (Site("s"),))) for number in range(1_000)]
        async with node(server.address(), tmp_path / "a", ticks=False) as one:
            await seen(lambda: bool(one.follower.history), lambda: one.follower.history)
            stop, longest = asyncio.Event(), [0.0]
            watch = asyncio.ensure_future(_watch(stop, longest))
            for each in data:
                await bus.publish(bus.address.order_subject, each)
            await seen(lambda: len(one.applied) == len(data), lambda: len(one.applied))
            stop.set()
            await watch
            assert one.applied == [f"o{number}" for number in range(1_000)]
            assert longest[0] < 0.5, "no turn of the loop waits for all of it"


async def _watch(stop: asyncio.Event, longest: list[float]) -> None:
    clock = SystemClock()
    while not stop.is_set():
        since = clock.mono()
        await asyncio.sleep(0)
        longest[0] = max(longest[0], clock.mono() - since)


@pytest.mark.slow
async def test_a_node_behind_a_leaf_of_another_network_reads_by_the_domain(tmp_path: Path):
    (port,) = free_ports(1)
    hub_leaves = f'leafnodes {{ listen: "127.0.0.1:{port}", authorization {{ user: leaf, password: leaf }} }}'
    leaf_remote = f'leafnodes {{ remotes: [ {{ url: "nats://leaf:leaf@127.0.0.1:{port}" }} ] }}'
    async with (
        NatsServer(tmp_path, "hub", jetstream=", domain: cdn", more=hub_leaves) as hub,
        NatsServer(tmp_path, "leaf", more=leaf_remote, keeps=False) as leaf,
        bus_to(hub.address(domain="cdn")) as bus,
    ):
        await make_durable(bus, TRUSTED, SystemClock())
        async with (
            node(leaf.address(domain="cdn"), tmp_path / "a") as behind,
            node(hub.address(domain="cdn"), tmp_path / "b", name="n2") as direct,
        ):
            await asyncio.gather(behind.caught_up(), direct.caught_up())
            await direct.purge("x")
            await behind.purge("y")
            await asyncio.gather(behind.has("x", "y"), direct.has("x", "y"))
            await hub.kill()
            await hub.start()
            await direct.purge("z")
            await asyncio.gather(behind.has("x", "y", "z"), direct.has("x", "y", "z"))


@pytest.mark.slow
async def test_no_acknowledged_order_is_lost_when_leaders_die(tmp_path: Path):
    async with NatsCluster(tmp_path) as cluster, bus_to(cluster.address()) as bus:
        await make_durable(bus, TRUSTED, SystemClock())
        async with (
            node(cluster.address(), tmp_path / "a") as one,
            node(cluster.address(), tmp_path / "b", name="n2") as two,
        ):
            await asyncio.gather(one.caught_up(), two.caught_up())
            await one.purge("before")
            info = await bus.api("STREAM.INFO.PERIGEE", within=PATIENCE)
            leader = cluster.named(info["cluster"]["leader"])
            await leader.kill()
            names = [f"o{number}" for number in range(20)]
            for name in names:
                assert (await one.purge(name)) > 0
            await leader.start()
            await one.has("before", *names)
            await two.has("before", *names)
            assert one.measures.purge_rewinds.value == two.measures.purge_rewinds.value == 0


async def test_a_history_that_cannot_be_numbered_is_not_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "a").write_bytes(b"a file where the folder should be")
    async with log_of_its_own(tmp_path) as (server, _), node(server.address(), tmp_path / "b") as one:
        follower = one.follower
        follower._histories = Histories(tmp_path / "a", SystemClock())
        await seen(lambda: follower.suspended, lambda: follower.history)
        await one.purge("x")
        assert (one.applied, follower.applied, follower.caught_up.is_set()) == ([], 0, False)
        assert not follower.is_current(SystemClock().mono(), 1e9)
    assert any("no number" in record.message for record in caplog.records)
