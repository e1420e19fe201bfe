"""What the workers of a node tell each other: forget these keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from edge.errors import ClientFault, UpstreamFault
from edge.exchange import Exchange
from edge.measures import Measures
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import Group, Uri
from edge.server.missed import MAX_BYTES, Missed, missed_by, take
from edge.server.peers import FORGET, MAX_KEYS, ORDER, PATIENCE_SECONDS, REACH, PeerAnswers, Peers
from tests.kit.clock import ManualClock
from tests.kit.log_reader import HandReader
from tests.kit.node_bench import HERE, NodeBench, exchange, got, node_bench
from tests.kit.scripted_upstream import Coming, Said, ScriptedUpstream, fresh

DONE = Said(204)


def keys(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


def scripted(*script: Said | UpstreamFault) -> ScriptedUpstream:
    return ScriptedUpstream(ManualClock(), *script)


def said_to(upstream: ScriptedUpstream) -> list[list[bytes]]:
    """The keys in each message that came."""
    return [
        [bytes.fromhex(key) for key in (request.fields.get(FORGET.lower()) or b"").decode().split(",")]
        for request in upstream.requests
    ]


def unheard(measures: Measures) -> float:
    return measures.bound_reached.of("peer_patience").value


# --- telling ---


async def test_every_other_worker_is_told_before_it_returns():
    others = [scripted(DONE), scripted(DONE)]
    gate = others[1].hold()
    measures = Measures()
    telling = asyncio.ensure_future(Peers(others, measures).invalidate(keys(3)))
    await gate.wait_waiting(1)
    assert not telling.done()
    gate.release()
    await telling
    assert [said_to(other) for other in others] == [[keys(3)], [keys(3)]]
    assert unheard(measures) == 0


async def test_many_keys_go_in_several_messages():
    other = scripted(DONE)
    many = keys(2 * MAX_KEYS + 1)
    await Peers([other], Measures()).invalidate(many)
    assert [len(message) for message in said_to(other)] == [MAX_KEYS, MAX_KEYS, 1]
    assert [key for message in said_to(other) for key in message] == many


async def test_a_worker_alone_tells_nobody():
    await Peers([], Measures()).invalidate(keys(1))


@pytest.mark.parametrize(
    "said",
    [UpstreamFault("refused", proxy_status="connection_refused"), Said(400), Said(502)],
    ids=["refused", "400", "502"],
)
async def test_a_worker_that_does_not_do_it_is_counted_and_holds_up_nobody(said: Said | UpstreamFault):
    measures = Measures()
    others = [scripted(said), scripted(DONE)]
    await Peers(others, measures).invalidate(keys(1))
    assert unheard(measures) == 1
    assert len(others[1].requests) == 1


async def test_an_answer_with_a_body_is_not_waited_for():
    coming = Coming()
    await Peers([scripted(Said(200, (), coming, length=9))], Measures()).invalidate(keys(1))
    assert coming.is_dropped


@pytest.mark.slow
async def test_a_worker_that_does_not_answer_is_waited_for_within_patience_only():
    measures = Measures()
    silent = scripted(DONE)
    silent.hold()
    async with asyncio.timeout(5 * PATIENCE_SECONDS):
        await Peers([silent], measures).invalidate(keys(1))
    assert unheard(measures) == 1
    assert silent.cancelled == 1


# --- being told ---


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    async with node_bench(tmp_path, disk=False) as bench:
        for target in (b"/a", b"/b", b"/c"):
            await bench.stored(target)
        yield bench


def answers_of(bench: NodeBench) -> PeerAnswers:
    return PeerAnswers(bench.node, bench.fence, bench.fence.take)


def message(value: bytes, *more: bytes) -> Exchange:
    lines = [(FORGET, said) for said in (value, *more)]
    return exchange(b"GET", b"/forget", *lines, peer="", tier=True)


async def test_who_is_told_forgets_and_tells_nobody_else(bench: NodeBench):
    said = b",".join(bench.key(target).hex().encode() for target in (b"/a", b"/b"))
    answer = await got(await answers_of(bench).handle(message(said)))
    assert (answer.status, answer.body) == (204, b"")
    assert [len(bench.held(target)) for target in (b"/a", b"/b", b"/c")] == [0, 0, 1]
    assert bench.told == []


async def test_what_is_under_way_is_forgotten_too(bench: NodeBench):
    gate = bench.origin.hold()
    asking = asyncio.ensure_future(bench.get(b"/new"))
    await gate.wait_waiting(1)
    await answers_of(bench).handle(message(bench.key(b"/new").hex().encode()))
    gate.release()
    await asking
    assert bench.held(b"/new") == []


GOOD = keys(1)[0].hex().encode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"zz" * 32, id="no hex"),
        pytest.param(GOOD[:-1], id="half a byte short"),
        pytest.param(GOOD[:-2], id="too short"),
        pytest.param(GOOD + b"00", id="too long"),
        pytest.param(GOOD + b",", id="a comma too many"),
        pytest.param(GOOD + b", " + GOOD, id="a blank"),
        pytest.param(GOOD.upper(), id="written otherwise than we do"),
        pytest.param(b",".join([GOOD] * (MAX_KEYS + 1)), id="more than the bound"),
    ],
)
async def test_a_message_that_no_worker_sends_changes_nothing(bench: NodeBench, value: bytes):
    with pytest.raises(ClientFault):
        await answers_of(bench).handle(message(value))
    assert [len(bench.held(target)) for target in (b"/a", b"/b", b"/c")] == [1, 1, 1]


async def test_as_many_as_the_bound_are_taken(bench: NodeBench):
    said = [key.hex().encode() for key in [bench.key(), *keys(MAX_KEYS - 1)]]
    await answers_of(bench).handle(message(b",".join(said)))
    assert bench.held() == []


async def test_two_messages_in_one_are_none(bench: NodeBench):
    with pytest.raises(ClientFault):
        await answers_of(bench).handle(message(bench.key().hex().encode(), GOOD))
    assert len(bench.held()) == 1


async def test_any_other_request_is_the_nodes(bench: NodeBench):
    asked = exchange(b"GET", b"/a", (b"Perigee-Authority", b"http a.example 80"), peer="", tier=True)
    answers = answers_of(bench)
    assert answers.answer_now(asked) is None
    assert (await got(await answers.handle(asked))).body == b"body"


async def test_a_client_cannot_say_it(bench: NodeBench):
    answer = await bench.get(b"/a", (FORGET, bench.key().hex().encode()))
    assert answer.cache == b"edge-1;hit;ttl=60;detail=fresh"
    assert len(bench.held()) == 1


# --- purges ---


async def test_without_a_log_the_others_take_the_order_itself(tmp_path: Path):
    async with node_bench(tmp_path) as bench:
        await bench.stored(b"/a")
        order = PurgeOrder(
            "one", UnixSeconds(bench.clock.now()), (Group(HERE, b'a "group", ~'), Uri(HERE, b"/a"))
        )
        other = scripted(DONE)
        await Peers([other], Measures()).order(order)
        (request,) = other.requests
        (line,) = request.fields.lines
        answer = await got(await answers_of(bench).handle(exchange(b"GET", b"/told", line, tier=True)))
        assert answer.status == 204
        assert [each.order for each in bench.fence.table.orders] == [order]
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"


@pytest.mark.parametrize("said", [b"{}", b'{"v":1,"is":"tick","at":1,"by":"a","heard":{}}', b"\xff"])
async def test_what_is_no_order_is_refused(tmp_path: Path, said: bytes):
    async with node_bench(tmp_path) as bench:
        with pytest.raises(ClientFault):
            await answers_of(bench).handle(exchange(b"GET", b"/told", (ORDER, said), tier=True))


async def test_with_a_log_the_others_read_up_to_there(tmp_path: Path):
    reader = HandReader(ManualClock())
    async with node_bench(tmp_path, reader=reader) as bench:
        reader.table, reader.clock = bench.fence.table, bench.clock
        reader.waiting = [None, reader.order_of(Uri(HERE, b"/a"))]
        answers = answers_of(bench)

        async def told(token: bytes) -> int:
            return (
                await got(await answers.handle(exchange(b"GET", b"/told", (REACH, token), tier=True)))
            ).status

        assert await told(reader.token(2)) == 204
        assert bench.fence.applied == 2
        assert await told(reader.token(3)) == 503
        with pytest.raises(ClientFault):
            await told(b"00000000000000bb:1")


async def test_what_another_missed_is_kept_for_its_successor(tmp_path: Path):
    measures = Measures()
    refused = UpstreamFault("refused", proxy_status="connection_refused")
    files = [missed_by(tmp_path, 0), missed_by(tmp_path, 1)]
    peers = Peers([scripted(refused), scripted(DONE)], measures, files)
    await peers.invalidate(keys(MAX_KEYS + 1))
    assert unheard(measures) == 2
    assert (take(files[0]).keys, take(files[1]).keys) == (tuple(keys(MAX_KEYS + 1)), ())
    await peers.reach(b"token")  # its successor reads the log itself
    assert take(files[0]) == Missed()


async def test_a_successor_that_is_there_by_now_is_told(tmp_path: Path):
    measures = Measures()
    other = scripted(UpstreamFault("refused", proxy_status="connection_refused"), DONE)
    await Peers([other], measures, [missed_by(tmp_path, 0)]).invalidate(keys(1))
    assert (len(other.requests), unheard(measures)) == (2, 0)


async def test_what_cannot_be_kept_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    measures = Measures()
    other = scripted(UpstreamFault("refused", proxy_status="connection_refused"))
    await Peers([other], measures, [tmp_path]).invalidate(keys(1))
    assert unheard(measures) == 1
    assert "cannot be kept" in caplog.text


async def test_what_does_not_fit_any_more_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    measures = Measures()
    file = missed_by(tmp_path, 0)
    with file.open("wb") as opened:
        opened.truncate(MAX_BYTES)
    other = scripted(UpstreamFault("refused", proxy_status="connection_refused"))
    await Peers([other], measures, [file]).invalidate(keys(1))
    assert unheard(measures) == 1
    assert "more than can be kept" in caplog.text
