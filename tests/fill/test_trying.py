"""What may be done after a try that failed (RFC 9110 s9.2.2, RFC 9112 s9.3.1)."""

import pytest

from edge.errors import UpstreamFault
from edge.fill.trying import Errand, Further, Try
from edge.fill.upstream import UpstreamRequest
from edge.semantics.message import EMPTY
from edge.semantics.rules import Timeouts
from edge.wire.framing import CHUNKED, NO_BODY
from tests.fill.test_pool import CLEAN, close, closing_when_used_again, one_byte, reset, stall
from tests.kit.origin import ScriptedOrigin
from tests.kit.upstreams import Bench, Pieces, at, bench, whole

HASTY = Timeouts(connect=5.0, first_byte=0.05, between_bytes=5.0, total=20.0)


def tried(on: Bench, port: int, method: str, body: Pieces | None = None) -> Try:
    rules = on.rules(port, timeouts=HASTY)
    framing = NO_BODY if body is None else CHUNKED
    request = UpstreamRequest(method.encode(), b"/a", b"origin.test", EMPTY, framing)
    return on.pool.trying(Errand(request, body, None, rules), on.pool.aim(at(port), rules))


@pytest.mark.parametrize(
    "method,rule,further",
    [
        ("GET", close, Further.DROPPED),
        ("GET", reset, Further.DROPPED),
        ("HEAD", close, Further.DROPPED),
        ("GET", stall, Further.SILENT),
        ("GET", one_byte, Further.FINAL),
        ("POST", close, Further.FINAL),
        ("DELETE", stall, Further.FINAL),
        ("PURGE", reset, Further.FINAL),
    ],
)
async def test_only_a_safe_request_that_got_no_byte_may_be_sent_again(method, rule, further):
    async with ScriptedOrigin({"/a": rule}) as origin, bench() as on:
        trying = tried(on, origin.port, method)
        with pytest.raises(UpstreamFault):
            await trying.run(fresh=True)
        assert trying.further is further


async def test_a_body_is_sent_once_whatever_the_method():
    async with ScriptedOrigin({"/a": close}) as origin, bench() as on:
        trying = tried(on, origin.port, "GET", Pieces([b"x"]))
        with pytest.raises(UpstreamFault):
            await trying.run(fresh=True)
        assert trying.further is Further.FINAL


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_where_no_connection_was_had_nothing_was_sent(method):
    async with bench() as on:
        trying = tried(on, 1, method)
        with pytest.raises(UpstreamFault):
            await trying.run(fresh=True)
        assert trying.further is Further.NOT_SENT


@pytest.mark.parametrize("fresh,further", [(False, Further.WAS_DEAD), (True, None)])
async def test_a_kept_connection_that_turns_out_dead_is_told_apart(fresh, further):
    async with ScriptedOrigin({"/a": closing_when_used_again()}) as origin, bench() as on:
        assert await whole(await tried(on, origin.port, "GET").run(fresh=False)) == CLEAN.body
        trying = tried(on, origin.port, "GET")
        if further is None:
            assert await whole(await trying.run(fresh=fresh)) == CLEAN.body
        else:
            with pytest.raises(UpstreamFault):
                await trying.run(fresh=fresh)
            assert trying.further is further
