"""Several workers are one cache: what the owner of a key may not keep, no other worker keeps."""

from __future__ import annotations

from pathlib import Path

from tests.kit.origin import OriginRequest, ScriptedOrigin
from tests.kit.origin_connection import OriginConnection
from tests.kit.world import World


async def test_a_body_that_only_a_close_ends_is_kept_by_nobody(tmp_path: Path) -> None:
    """The owner relays it chunked, so that its head does not show the other worker why it is not to be stored."""

    async def cut_short(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\nhalf a b"
        )
        await connection.close()

    async with ScriptedOrigin() as origin, World(tmp_path, origin=origin.url, workers=2) as world:
        for number in range(4):
            origin.on(f"/{number}", cut_short)
        for number in range(4):
            for _ in range(4):
                answer = await world.get(f"/{number}")
                assert b"close-delimited" in (answer.header("Cache-Status") or b"") or b"uncacheable" in (
                    answer.header("Cache-Status") or b""
                ), answer.headers
            assert len(origin.seen(f"/{number}")) == 4
