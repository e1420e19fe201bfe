"""Misses of edges meet at the shield of their key; a shield that dies, hangs or does not know us is nobody's error."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.semantics.key import primary_key
from edge.semantics.message import Authority
from edge.settings.load import load_node
from origin_shield.outward import FEW, Shielded
from origin_shield.ring import Ring, RingNode
from tests.kit.answer import Answer
from tests.kit.edge import Edge
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.tiered import HASTY, node_file, tiered
from tools.ports import free_ports

FRESH = {"Cache-Control": "max-age=60"}
PATHS = [f"/{number}" for number in range(16)]
OTHER_SECRET = 'secrets = ["another secret of somebody else"]\n'


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"body")
        yield origin


def shield_of(answer: Answer) -> str:
    """The shield that an answer came by; "" = by none."""
    names = [name.split()[-1].decode() for name in answer.header_lines("Via")]
    return next((name for name in names if name.startswith("shield")), "")


async def ways(edge: Edge, more: str = "") -> dict[str, str]:
    """The shield of each path, by asking. more: so that nothing of it is stored yet."""
    found = {}
    for path in PATHS:
        answer = await edge.get(path + more, {"Host": "a.example"})
        assert answer.body == b"body"
        found[path] = shield_of(answer)
    return found


def down(port: int, *, tier: str = HASTY, site: str = "", origin: str) -> str:
    return node_file(origin, shields=(port,), tier=tier, site=site)


# --- where misses go ---


async def test_misses_of_all_edges_meet_at_the_keys_shield(origin: ScriptedOrigin, tmp_path: Path):
    async with tiered(tmp_path, origin.url, edges=2, shields=2) as ((one, other), _):
        first = await ways(one)
        assert await ways(other) == first
        assert set(first.values()) == {"shield-0", "shield-1"}
        assert sorted(request.path for request in origin.requests) == sorted(PATHS)
        answer = await other.get(PATHS[0], {"Host": "a.example"})
        assert (answer.header("Cache-Status") or b"").startswith(b"shield-")
        assert b"edge-1;hit" in (answer.header("Cache-Status") or b"")


async def test_a_crowd_at_several_edges_is_one_request(origin: ScriptedOrigin, tmp_path: Path):
    async with tiered(tmp_path, origin.url, edges=2, shields=2) as (edges, _):
        gate = origin.hold("/hot")
        asking = [
            asyncio.ensure_future(edge.get("/hot", {"Host": "a.example"})) for edge in edges for _ in range(5)
        ]
        await gate.wait_waiting(1)
        await edges[0].until(lambda: edges[0].counted("perigee_fills_followed") == {"": 4.0}, "4 followers")
        gate.release()
        assert {answer.body for answer in await asyncio.gather(*asking)} == {b"body"}
        assert len(origin.requests) == 1


async def test_a_shield_that_has_more_than_its_share_passes_keys_on(origin: ScriptedOrigin, tmp_path: Path):
    async with tiered(tmp_path, origin.url, shields=2) as ((edge,), shields):
        names = [str(shield.settings.tier.listen) for shield in shields]
        ring = Ring(RingNode(name) for name in names)
        rules = next(iter(edge.settings.sites))
        authority = Authority(b"http", b"a.example", 80)
        every = (f"/hot?{number}" for number in itertools.count())
        own = (
            path
            for path in every
            if ring.order(primary_key(authority, path.encode(), rules.key))[0].name == names[0]
        )
        gate = origin.hold("/hot")
        first = [asking(edge, path) for path in itertools.islice(own, FEW + 1)]
        await gate.wait_waiting(FEW + 1)
        more = [asking(edge, path) for path in itertools.islice(own, 20)]
        await gate.wait_waiting(FEW + 21)
        gate.release()
        assert {shield_of(answer) for answer in await asyncio.gather(*first)} == {"shield-0"}
        assert {shield_of(answer) for answer in await asyncio.gather(*more)} == {"shield-1"}


def asking(edge: Edge, path: str) -> asyncio.Future[Answer]:
    return asyncio.ensure_future(edge.get(path, {"Host": "a.example"}))


# --- a shield that is not there ---


async def test_a_shield_that_ends_moves_its_keys_and_gets_them_back(origin: ScriptedOrigin, tmp_path: Path):
    async with tiered(tmp_path, origin.url, shields=2) as ((edge,), shields):
        before = await ways(edge)
        await shields[0].stop()
        assert set((await ways(edge, "?2")).values()) == {"shield-1"}
        assert edge.counted("perigee_shield_out")
        await shields[0].start()
        await edge.until(lambda: not edge.counted("perigee_shield_out"), "the shield's return")
        third = await ways(edge, "?3")
        assert set(third.values()) == {"shield-0", "shield-1"}
        assert set(before.values()) == {"shield-0", "shield-1"}


async def test_without_any_shield_the_origin_is_asked(origin: ScriptedOrigin, tmp_path: Path):
    async with tiered(tmp_path, origin.url, shields=1) as ((edge,), (shield,)):
        await shield.stop()
        assert set((await ways(edge)).values()) == {""}
        await shield.start()


@pytest.mark.parametrize(
    ("tier", "site"),
    [
        pytest.param(HASTY + "straight = false\n", "", id="the node may not ask origins"),
        pytest.param(HASTY, '[site.shield]\nfallback = "shields"\n', id="nor may the site's edges"),
        pytest.param(HASTY, '[site.shield]\nfallback = "stale"\n', id="nor anybody else"),
    ],
)
async def test_where_only_shields_may_ask_what_is_stale_is_all_there_is(
    origin: ScriptedOrigin, tmp_path: Path, tier: str, site: str
):
    origin.default = Canned(200, {"Cache-Control": "max-age=0, stale-if-error=60", "ETag": '"a"'}, b"old")
    async with tiered(tmp_path, origin.url, tier=tier, site=site) as ((edge,), (shield,)):
        assert (await edge.get("/a")).body == b"old"
        await shield.stop()
        stale = await edge.get("/a")
        assert (stale.status, stale.body) == (200, b"old")
        assert b"stale-if-error" in (stale.header("Cache-Status") or b"")
        assert (await edge.get("/new")).status == 502
        assert len(origin.requests) == 1
        await shield.start()


async def test_a_shield_that_hangs_is_left_for_the_next_way(origin: ScriptedOrigin, tmp_path: Path):
    (port,) = free_ports(1)
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", port)
    async with Edge(tmp_path, config=down(port, origin=origin.url), outward=Shielded) as edge:
        first = await edge.get("/a")  # waits until the checks have failed
        assert (first.status, shield_of(first)) == (200, "")
        assert edge.counted("perigee_shield_ejections_total") == {"checks": 1.0}
        sent = len(held)
        assert (await edge.get("/b")).status == 200
        assert len(held) <= sent + 1  # of a check
    silent.close()
    for writer in held:
        writer.close()


async def test_a_shield_that_does_not_know_us_is_as_good_as_none(origin: ScriptedOrigin, tmp_path: Path):
    async with (
        tiered(tmp_path, origin.url) as (_, (shield,)),
        Edge(
            tmp_path / "stranger",
            config=down(shield.settings.tier.listen.port, tier=HASTY + OTHER_SECRET, origin=origin.url),  # type: ignore[union-attr]  # a shield listens
            outward=Shielded,
        ) as stranger,
    ):
        answer = await stranger.get("/a")
        assert (answer.status, answer.body, shield_of(answer)) == (200, b"body", "")
        assert stranger.counted("perigee_shield_requests_total") == {"failed": 1.0}
        assert (await stranger.request("PUT", "/a", (), b"x")).status == 502


async def test_whatever_goes_wrong_with_a_shield_a_safe_request_has_another_way(
    origin: ScriptedOrigin, tmp_path: Path
):
    async def garbage(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(b"what is this\r\n\r\n")
        await connection.close()

    async with ScriptedOrigin() as strange:
        strange.default = garbage
        config = down(strange.port, tier='check = "off"\n', origin=origin.url)
        async with Edge(tmp_path / "a", config=config, outward=Shielded) as edge:
            assert (await edge.get("/a")).body == b"body"
            assert (await edge.request("PUT", "/a", (), b"x")).status == 502
    nowhere = config.replace("127.0.0.1:", "no-such-shield.invalid:", 1)
    async with Edge(tmp_path / "b", config=nowhere, outward=Shielded) as edge:
        assert (await edge.get("/b")).body == b"body"
        assert (await edge.request("PUT", "/b", (), b"x")).status == 200


async def test_an_answer_of_the_origins_is_no_failure_of_a_shield(origin: ScriptedOrigin, tmp_path: Path):
    origin.default = Canned(403, {"Cache-Control": "no-store"}, b"no")
    async with tiered(tmp_path, origin.url) as ((edge,), _):
        for _ in range(3):
            answer = await edge.get("/a")
            assert (answer.status, shield_of(answer)) == (403, "shield-0")
        assert edge.counted("perigee_shield_requests_total") == {"answered": 3.0}


async def test_a_shield_is_asked_whether_it_is_there_while_it_is_silent(
    origin: ScriptedOrigin, tmp_path: Path
):
    async with tiered(tmp_path, origin.url) as ((edge,), (shield,)):
        await edge.until(
            lambda: edge.counted("perigee_shield_checks_total").get("up", 0) > 1, "two checks that succeed"
        )
        await shield.stop()
        await edge.until(lambda: bool(edge.counted("perigee_shield_out")), "its end to be seen")
        await shield.start()
        await edge.until(lambda: not edge.counted("perigee_shield_out"), "its return to be seen")
        assert not shield.counted("perigee_passports_refused_total")
        assert not origin.requests


# --- settings ---


async def test_new_settings_are_new_shields(origin: ScriptedOrigin, tmp_path: Path):
    async with tiered(tmp_path, origin.url, shields=2) as ((edge,), shields):
        listen = shields[1].settings.tier.listen
        assert listen is not None
        file = tmp_path / "new.toml"
        file.write_text(down(listen.port, tier='check = "off"\n', origin=origin.url))
        edge.worker.apply(load_node(file))
        assert set((await ways(edge)).values()) == {"shield-1"}
        file.write_text(node_file(origin.url))
        edge.worker.apply(load_node(file))
        assert set((await ways(edge, "?2")).values()) == {""}
