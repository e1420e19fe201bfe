"""Load on the purge API."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from aiohttp import web

from edge.purge.signing.key_files import load_keys
from edge.purge.signing.message import Message
from edge.purge.signing.verify import Policy, Verified, verify
from edge.semantics.message import Authority, Fields
from tools.benching.processes import BenchFault
from tools.purge_bench.api import Signed, blast
from tools.soaking.soak import write_key


def test_each_request_is_whole_signed_and_of_its_own(tmp_path: Path) -> None:
    signed = Signed(8081, write_key(tmp_path), 3)
    assert signed.ahead(2.0) < Signed(8081, write_key(tmp_path / "b"), 1).ahead(2.0)
    first, second = signed.one(), signed.one()
    assert first != second
    head, _, body = first.partition(b"\r\n\r\n")
    line, *rest = head.split(b"\r\n")
    assert line == b"POST /v1/purges HTTP/1.1"
    assert len(json.loads(body)["urls"]) == 3
    fields = Fields((name, value.strip()) for name, _, value in (each.partition(b":") for each in rest))
    message = Message(b"POST", Authority(b"http", b"127.0.0.1", 8081), b"/v1/purges", fields, body)
    assert isinstance(verify(message, load_keys(tmp_path), time.time(), Policy(300.0, 30.0)), Verified)


@pytest.mark.parametrize("status", [202, 429])
async def test_anything_but_an_acceptance_ends_it(status: int, tmp_path: Path) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="said")

    app = web.Application()
    app.router.add_post("/v1/purges", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    signed = Signed(runner.addresses[0][1], write_key(tmp_path), 1)
    try:
        if status == 202:
            seconds, answers = await blast(signed, 2, 0.1)
            assert len(answers) > 1 and seconds >= max(answers)
        else:
            with pytest.raises(BenchFault, match="429"):
                await blast(signed, 2, 0.1)
    finally:
        await runner.cleanup()
