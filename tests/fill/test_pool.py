"""Which origin, and whether to ask again (RFC 9110 s9.2.2, RFC 9112 s9.3.1)."""

import asyncio
from dataclasses import replace

import pytest

from edge.errors import UpstreamFault
from edge.semantics.message import Fields
from edge.semantics.rules import OriginAddress, Timeouts
from edge.wire.framing import CHUNKED
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import Pieces, at, bench, fetch, whole

CLEAN = Canned(body=b"clean")
TERMINATED = "connection_terminated"


async def close(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.close()


async def reset(request: OriginRequest, connection: OriginConnection) -> None:
    connection.reset()


async def stall(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.stall()


async def one_byte(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_raw(b"H")
    await connection.close()


@pytest.mark.parametrize(
    "method,rule,retries,sent,token",
    [
        ("GET", close, 0, 1, TERMINATED),
        ("GET", close, 1, 2, TERMINATED),
        ("GET", close, 3, 4, TERMINATED),
        ("GET", reset, 1, 2, TERMINATED),
        ("HEAD", close, 1, 2, TERMINATED),
        ("OPTIONS", close, 1, 2, TERMINATED),
        ("POST", close, 3, 1, TERMINATED),
        ("POST", reset, 3, 1, TERMINATED),
        ("PUT", close, 3, 1, TERMINATED),
        ("DELETE", close, 3, 1, TERMINATED),
        ("PURGE", close, 3, 1, TERMINATED),
        ("GET", one_byte, 3, 1, "http_response_incomplete"),
        ("GET", stall, 3, 1, "connection_read_timeout"),
    ],
)
async def test_only_a_safe_request_that_got_no_byte_is_sent_again(method, rule, retries, sent, token):
    async with ScriptedOrigin({"/a": rule}) as origin, bench() as on:
        timeouts = Timeouts(first_byte=0.05) if rule is stall else Timeouts()
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(origin.port, retries=retries, timeouts=timeouts), "/a", method)
        assert (len(origin.requests), raised.value.proxy_status) == (sent, token)
        assert sum(on.counted("perigee_upstream_retries_total").values()) == sent - 1


async def test_a_request_with_a_body_is_sent_once_even_when_its_method_is_safe():
    async with ScriptedOrigin({"/a": close}) as origin, bench() as on:
        with pytest.raises(UpstreamFault):
            await fetch(on.upstream(origin.port, retries=3), "/a", "GET", Pieces([b"x"]), framing=CHUNKED)
        assert len(origin.requests) == 1


def closing_when_used_again():
    """Answers the first request of each connection; then it closes without a word, as a peer does whose FIN is on its way."""
    seen: set[int] = set()

    async def answer(request: OriginRequest, connection: OriginConnection) -> None:
        if connection.number in seen:
            await connection.close()
        else:
            seen.add(connection.number)
            await connection.send(CLEAN)

    return answer


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_stale_idle_connection_costs_a_safe_request_nothing(retries: int):
    async with ScriptedOrigin({"/a": closing_when_used_again()}) as origin, bench() as on:
        upstream = on.upstream(origin.port, retries=retries)
        for _ in range(3):
            assert await whole(await fetch(upstream, "/a")) == b"clean"
        assert len(origin.connections) == 3


async def test_an_unsafe_request_never_meets_a_stale_connection():
    async with ScriptedOrigin({"/a": closing_when_used_again()}) as origin, bench() as on:
        upstream = on.upstream(origin.port)
        await fetch(upstream, "/a")
        assert (await fetch(upstream, "/a", "POST")).reused is False
        assert [request.method for request in origin.requests] == [b"GET", b"POST"]


async def test_one_free_try_only():
    async with ScriptedOrigin({"/a": [CLEAN]}) as origin, bench() as on:
        upstream = on.upstream(origin.port, retries=0)
        await fetch(upstream, "/a")
        origin.on("/a", close)
        with pytest.raises(UpstreamFault):
            await fetch(upstream, "/a")
        assert len(origin.requests) == 3


async def test_the_next_origin_answers_when_the_first_cannot_be_reached():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, bench() as on:
        upstream = on.upstream(1, origin.port)
        assert await whole(await fetch(upstream, "/a")) == b"clean"
        body = Pieces([b"x"])
        assert (await fetch(upstream, "/a", "POST", body, framing=CHUNKED)).head.status == 200
        assert origin.requests[-1].body == b"x"


@pytest.mark.parametrize(
    "method,rule,second", [("GET", close, 1), ("GET", stall, 1), ("POST", close, 0), ("GET", one_byte, 0)]
)
async def test_the_next_origin_is_asked_only_for_what_may_be_sent_again(method, rule, second):
    async with ScriptedOrigin({"/a": rule}) as bad, ScriptedOrigin({"/a": CLEAN}) as good, bench() as on:
        upstream = on.upstream(bad.port, good.port, retries=1, timeouts=Timeouts(first_byte=0.05))
        if second:
            assert await whole(await fetch(upstream, "/a", method)) == b"clean"
        else:
            with pytest.raises(UpstreamFault):
                await fetch(upstream, "/a", method)
        assert (len(bad.requests), len(good.requests)) == (1, second)


async def test_an_error_of_the_first_origin_is_an_answer():
    async with (
        ScriptedOrigin({"/a": Canned(503)}) as bad,
        ScriptedOrigin({"/a": CLEAN}) as good,
        bench() as on,
    ):
        assert (await fetch(on.upstream(bad.port, good.port), "/a")).head.status == 503
        assert good.requests == []


async def test_when_no_origin_can_be_reached_it_is_a_502():
    async with bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(1, 2))
        assert (raised.value.status, raised.value.proxy_status) == (502, "connection_refused")
        assert on.counted("perigee_upstream_connections_total") == {"failed": 1}
        with pytest.raises(UpstreamFault, match="no origin"):
            await fetch(on.upstream())


async def test_what_goes_out_is_built_from_the_request():
    async with ScriptedOrigin() as origin, bench() as on:
        origin.default = CLEAN
        upstream = on.upstream(OriginAddress(b"http", b"127.0.0.1", origin.port, b"/base"))
        await fetch(upstream, "/a%3Bb?q=%20", fields=Fields([(b"X-A", b"1"), (b"x-a", b"2")]))
        await fetch(upstream, "*", "OPTIONS")
        await fetch(upstream, "/", "POST")
        heads = [request.raw_head for request in origin.requests]
        assert heads == [
            b"GET /base/a%3Bb?q=%20 HTTP/1.1\r\nHost: origin.test\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: origin.test\r\n\r\n",
            b"POST /base/ HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 0\r\n\r\n",
        ]


async def test_sites_with_other_tls_or_address_rules_do_not_share_connections():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, bench() as on:
        await fetch(on.upstream(origin.port), "/a")
        assert (await fetch(on.upstream(origin.port, host_header=b"other"), "/a")).reused is True
        assert (await fetch(on.upstream(origin.port, allow_private_names=True), "/a")).reused is False


async def test_many_fetches_at_once_each_get_their_own_answer():
    async def echo(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(body=request.target, chunked=len(request.target) % 2 == 0)

    async with ScriptedOrigin() as origin, bench() as on:
        origin.default = echo
        upstream = on.upstream(origin.port, max_connections=8)

        async def one(number: int) -> None:
            target = f"/{number}"
            assert await whole(await fetch(upstream, target)) == target.encode()

        await asyncio.gather(*[one(number) for number in range(300)])
        assert len(origin.connections) <= 8


async def test_an_upstream_with_a_name_looks_it_up_when_it_opens_a_connection():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, bench() as on:
        on.names.table["localhost"] = ["127.0.0.1"]
        upstream = on.upstream(at(origin.port, b"localhost"))
        for _ in range(3):
            await fetch(upstream, "/a")
        assert on.names.asked == ["localhost"]


async def test_sites_that_share_an_origin_have_each_its_own_path_there():
    async with (
        ScriptedOrigin({"/one/a": Canned(body=b"1"), "/two/a": Canned(body=b"2")}) as origin,
        bench() as on,
    ):
        for path, body in ((b"/one", b"1"), (b"/two", b"2"), (b"/one", b"1")):
            upstream = on.upstream(replace(at(origin.port), path=path))
            assert await whole(await fetch(upstream, "/a")) == body
        assert len(origin.connections) == 1
