"""PURGE on the public port goes to the desk as it was parsed, and what the desk says comes back."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from operator import attrgetter
from pathlib import Path

import pytest

from edge.errors import ClientFault
from edge.measures import Measures
from edge.purge.dialects_answers import Answer
from edge.semantics.message import Authority, Fields, RequestHead
from edge.server.purge_method import MAX_UNDER_WAY, PurgeMethod, serve_purge_method
from edge.tiers import Tiers
from tests.kit.clock import ManualClock
from tests.kit.node_bench import exchange, got
from tests.kit.scripted_upstream import ScriptedUpstream
from tests.kit.waiting import Gate

peer_of = attrgetter("peer")
ACCEPTED = Answer(202, ((b"Content-Type", b"application/json"), (b"X-A", b"\xe4")), b'{"id":"1"}\xff')


async def test_the_desk_sees_what_the_client_sent_and_the_client_what_the_desk_says(tmp_path: Path):
    seen: list[tuple[RequestHead, str]] = []

    async def take(head: RequestHead, peer: str) -> Answer:
        seen.append((head, peer))
        return ACCEPTED

    runner = await serve_purge_method(take, tmp_path / "desk.sock")
    try:
        asked = exchange(
            b"PURGE", b"/a?b=%2F", (b"Signature", b"sig=:AA==:"), (b"X-Odd", b"\xff"), peer="192.0.2.9"
        )
        head = asked.request.head
        meant = RequestHead(b"PURGE", Authority(b"https", b"a.example", 8443), head.target, head.fields)
        answer = await got(
            await PurgeMethod(tmp_path / "desk.sock", Measures(), peer_of)(meant, asked, "site")
        )
    finally:
        await runner.cleanup()
    assert seen == [(meant, "192.0.2.9")]
    assert (answer.status, answer.fields, answer.body) == (202, Fields(ACCEPTED.fields), ACCEPTED.body)
    assert answer.verdict.site == "site"


async def test_what_came_through_a_proxy_is_not_the_proxys(tmp_path: Path):
    """Who may purge unsigned is asked of the client: a proxy in purge.allow would let everybody in."""
    seen: list[str] = []

    async def take(_head: RequestHead, peer: str) -> Answer:
        seen.append(peer)
        return ACCEPTED

    tiers = Tiers(
        name=b"a",
        cdn_id=b"a",
        trusted=(ip_network("10.0.0.0/8"),),
        index=0,
        owner_of=lambda _: 0,
        workers=(),
        origin_of=lambda _: ScriptedUpstream(ManualClock()),
    )
    runner = await serve_purge_method(take, tmp_path / "desk.sock")
    try:
        method = PurgeMethod(tmp_path / "desk.sock", Measures(), tiers.client)
        asked = exchange(b"PURGE", b"/a", (b"X-Forwarded-For", b"203.0.113.9"), peer="10.0.0.1")
        await got(await method(asked.request.head, asked, "site"))
    finally:
        await runner.cleanup()
    assert seen == ["203.0.113.9"]


async def test_without_a_desk_it_is_unavailable(tmp_path: Path):
    asked = exchange(b"PURGE", b"/a")
    answer = await got(
        await PurgeMethod(tmp_path / "none", Measures(), peer_of)(asked.request.head, asked, "site")
    )
    assert (answer.status, answer.line(b"retry-after")) == (503, b"5")


async def test_a_purge_with_a_body_is_refused(tmp_path: Path):
    asked = exchange(b"PURGE", b"/a", (b"Content-Length", b"1"))
    with pytest.raises(ClientFault):
        await PurgeMethod(tmp_path / "none", Measures(), peer_of)(asked.request.head, asked, "site")


async def test_so_many_are_under_way_and_no_more(tmp_path: Path):
    gate, measures = Gate("the desk"), Measures()

    async def take(_head: RequestHead, _peer: str) -> Answer:
        await gate.passed()
        return ACCEPTED

    runner = await serve_purge_method(take, tmp_path / "desk.sock")
    try:
        method, asked = PurgeMethod(tmp_path / "desk.sock", measures, peer_of), exchange(b"PURGE", b"/a")
        head = asked.request.head
        waiting = [asyncio.ensure_future(method(head, asked, "site")) for _ in range(MAX_UNDER_WAY)]
        await gate.wait_waiting(MAX_UNDER_WAY)
        assert (await method(head, asked, "site")).status == 503
        assert measures.bound_reached.of("purge_method").value == 1
        gate.release()
        assert {(await each).status for each in waiting} == {202}
        assert (await method(head, asked, "site")).status == 202
    finally:
        await runner.cleanup()
