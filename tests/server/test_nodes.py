"""A shield answers the nodes of its network and nobody else, in the terms of a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ClientFault
from edge.fill.upstream import UpstreamRequest
from edge.passport import PASSPORT, issue
from edge.semantics.message import Fields, Line, UnixSeconds
from edge.semantics.rules import SiteRules
from edge.server.nodes import IS_THERE, NodeAnswers
from edge.tiers import Tiers, Ways
from tests.kit.clock import ManualClock
from tests.kit.fenced import fenced
from tests.kit.log_reader import HISTORY
from tests.kit.node_bench import Got, NodeBench, exchange, got
from tests.kit.scripted_upstream import Said, ScriptedUpstream, fresh

SECRET = b"s" * 32


class OneShield:
    """Every key has the same."""

    def __init__(self, clock: ManualClock) -> None:
        self.node = ScriptedUpstream(clock)

    def ways(self, _rules: SiteRules, _key: bytes, *, from_node: bool) -> Ways:
        return Ways((self.node,))


def asked(bench: NodeBench, target: bytes, *lines: Line, secret: bytes | None = SECRET) -> UpstreamRequest:
    """What an edge sends to its shield for a client's request."""
    tiers = Tiers(
        name=b"fra-1",
        cdn_id=b"fra-1",
        trusted=(),
        index=0,
        owner_of=lambda _: 0,
        workers=(),
        origin_of=lambda _: bench.origin,
        shields=OneShield(bench.clock),
        secret=secret,
        now=bench.clock.now,
    )
    client = exchange(b"GET", target, *lines, peer="192.0.2.77")
    route = tiers.routes(client, tiers.restored(client), bench.rules, b"k" * 32)[0]
    assert route.is_node and route.seal is not None
    return route.seal(route.build(()))


async def answered(
    bench: NodeBench, request: UpstreamRequest, *more: Line, secrets: tuple[bytes, ...] = (SECRET,)
) -> Got:
    answers = NodeAnswers(bench.node, lambda: secrets, bench.clock, bench.measures)
    came = exchange(request.method, request.target, *request.fields.lines, *more, tier=True)
    assert answers.answer_now(came) is None
    return await got(await answers.handle(came))


async def test_a_node_of_the_network_gets_the_content_and_what_only_nodes_get(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        bench.origin.says(fresh(b"body", (b"Surrogate-Key", b"t"), (b"Surrogate-Control", b"max-age=9")))
        answer = await answered(bench, asked(bench, b"/a"))
        assert (answer.status, answer.body) == (200, b"body")
        assert answer.line(b"surrogate-key") == b"t"
        assert answer.line(b"perigee-fence") == b"%b:0" % HISTORY
        assert answer.line(b"via") == b"1.1 edge-1"
        assert answer.cache == b"edge-1;fwd=uri-miss;fwd-status=200;ttl=9;stored;detail=nothing-stored"
        (request,) = bench.origin.requests
        # the origin hears of the client, and of both nodes
        assert request.fields.get(b"x-forwarded-for") == b"192.0.2.77"
        assert request.fields.combined(b"cdn-loop") == b"fra-1, edge-1"
        assert not [name for name in request.fields.names() if name.startswith(b"perigee-")]


@pytest.mark.parametrize(
    ("secret", "secrets", "why"),
    [
        (b"x" * 32, (SECRET,), "forged passport"),
        (SECRET, (), "forged passport"),
    ],
)
async def test_others_get_403_and_nothing_is_looked_up(
    tmp_path: Path, secret: bytes, secrets: tuple[bytes, ...], why: str
):
    async with fenced(tmp_path) as (bench, _):
        with pytest.raises(ClientFault) as refused:
            await answered(bench, asked(bench, b"/a", secret=secret), secrets=secrets)
        assert refused.value.status == 403
        assert not bench.origin.requests
        assert bench.counted("perigee_passports_refused_total") == {why: 1.0}


async def test_a_client_gets_403(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        answers = NodeAnswers(bench.node, lambda: (SECRET,), bench.clock, bench.measures)
        with pytest.raises(ClientFault):
            await answers.handle(exchange(b"GET", b"/a", tier=True))
        assert bench.counted("perigee_passports_refused_total") == {"no passport": 1.0}


async def test_a_request_that_was_here_before_is_a_loop(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        answer = await answered(bench, asked(bench, b"/a", (b"CDN-Loop", b"edge-1")))
        assert answer.status == 508


async def test_what_is_for_one_client_alone_is_said_to_be(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        bench.origin.says(Said(200, ((b"Cache-Control", b"private"),), b"mine"))
        answer = await answered(bench, asked(bench, b"/a"))
        assert (answer.body, answer.line(b"perigee-not-stored")) == (b"mine", b"private")


async def test_a_secret_is_changed_while_requests_go_on(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        assert (
            await answered(bench, asked(bench, b"/a", secret=b"n" * 32), secrets=(SECRET, b"n" * 32))
        ).status == 200


async def test_a_node_that_asks_whether_we_are_there_is_told_so_and_nothing_is_looked_up(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        line = (IS_THERE, b"1")
        shown = issue(
            b"fra-1",
            UnixSeconds(bench.clock.now()),
            SECRET,
            method=b"GET",
            authority=b"a.example",
            target=b"/",
            fields=Fields((line,)),
        )
        question = UpstreamRequest(b"GET", b"/", b"a.example", Fields((line, (PASSPORT, shown))))
        assert (await answered(bench, question)).status == 204
        assert not bench.origin.requests
        with pytest.raises(ClientFault):
            await answered(bench, question, secrets=(b"x" * 32,))
