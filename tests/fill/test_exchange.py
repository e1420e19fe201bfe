"""The head that goes out, and who is told of a failure."""

import asyncio

import pytest

from edge.errors import UpstreamFault
from edge.fill.exchange import Answer, Exchange, request_bytes
from edge.fill.upstream import UpstreamRequest
from edge.semantics.message import EMPTY, Fields, ResponseHead, UnixSeconds
from edge.semantics.rules import Timeouts
from edge.wire.framing import CHUNKED, NO_BODY, Framing, Length
from edge.wire.response import ParsedResponse


@pytest.mark.parametrize(
    "method,target,prefix,framing,upgrade,lines",
    [
        (b"GET", b"/a?b", b"", NO_BODY, None, b"GET /a?b HTTP/1.1|Host: h.test|A: 1"),
        (b"GET", b"/a", b"/base", NO_BODY, None, b"GET /base/a HTTP/1.1|Host: h.test|A: 1"),
        (b"OPTIONS", b"*", b"/base", NO_BODY, None, b"OPTIONS * HTTP/1.1|Host: h.test|A: 1"),
        (b"POST", b"/", b"", NO_BODY, None, b"POST / HTTP/1.1|Host: h.test|A: 1|Content-Length: 0"),
        (b"POST", b"/", b"", Length(7), None, b"POST / HTTP/1.1|Host: h.test|A: 1|Content-Length: 7"),
        (b"POST", b"/", b"", CHUNKED, None, b"POST / HTTP/1.1|Host: h.test|A: 1|Transfer-Encoding: chunked"),
        (
            b"GET",
            b"/",
            b"",
            NO_BODY,
            b"websocket",
            b"GET / HTTP/1.1|Host: h.test|A: 1|Connection: Upgrade|Upgrade: websocket",
        ),
    ],
)
def test_the_head_is_built_from_typed_parts(
    method: bytes, target: bytes, prefix: bytes, framing: Framing, upgrade: bytes | None, lines: bytes
):
    request = UpstreamRequest(method, target, b"h.test", Fields([(b"A", b"1")]), framing, upgrade)
    assert request_bytes(request, prefix) == lines.replace(b"|", b"\r\n") + b"\r\n\r\n"


def exchange() -> Exchange:
    return Exchange(UpstreamRequest(b"GET", b"/", b"h.test", EMPTY), Timeouts(), None, total_at=0.0)


async def test_a_failure_goes_to_who_waits_for_the_head_or_for_the_body():
    fault = UpstreamFault("cut")
    waiting = exchange()
    waiting.fail(fault)
    with pytest.raises(UpstreamFault):
        await waiting.answered

    answered = exchange()
    head = ResponseHead(200, b"", EMPTY)
    answered.answered.set_result(Answer(ParsedResponse(head, NO_BODY, True), None, UnixSeconds(0.0)))
    answered.fail(fault)
    with pytest.raises(UpstreamFault):
        await answered.body.read()
    answered.fail(fault)  # it knows already


async def test_an_upload_is_stopped_once():
    stopped = exchange()
    stopped.stop_upload()

    async def send_for_ever() -> None:
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(send_for_ever())
    stopped.upload = task
    stopped.stop_upload()
    with pytest.raises(asyncio.CancelledError):
        await task
