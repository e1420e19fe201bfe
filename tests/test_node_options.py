"""OPTIONS, which may be for the edge itself."""

from __future__ import annotations

from pathlib import Path

from tests.kit.node_bench import node_bench


async def test_options_that_may_go_no_further_ask_the_edge_itself(tmp_path: Path):
    async with node_bench(tmp_path) as bench:
        answer = await bench.ask(b"OPTIONS", b"/a", (b"Max-Forwards", b"0"))
        assert (answer.status, bench.origin.requests) == (204, [])
        assert b"GET" in (answer.line(b"allow") or b"")
        await bench.ask(b"OPTIONS", b"/a", (b"Max-Forwards", b"1"))
        assert len(bench.origin.requests) == 1
