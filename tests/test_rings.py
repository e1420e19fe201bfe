"""What a request makes is freed by reference counts alone: no ring is left for the cycle collector, which sleeps."""

from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge.errors import UpstreamFault
from tests.kit.node_bench import NodeBench, node_bench
from tests.kit.scripted_upstream import Said

COUNTER = itertools.count()
PRIVATE = Said(200, ((b"Cache-Control", b"private"),), b"mine")


async def misses(bench: NodeBench) -> None:
    for _ in range(20):
        await bench.get(b"/%d" % next(COUNTER))


async def hits(bench: NodeBench) -> None:
    for _ in range(20):
        await bench.get(b"/a")


async def crowds(bench: NodeBench) -> None:
    for _ in range(5):
        await bench.crowd(10, b"/%d" % next(COUNTER))


async def answers_for_one(bench: NodeBench) -> None:
    for _ in range(20):
        bench.origin.says(PRIVATE)
        await bench.get(b"/%d" % next(COUNTER))


async def failures(bench: NodeBench) -> None:
    for _ in range(20):
        bench.origin.says(UpstreamFault("refused", proxy_status="connection_refused"))
        await bench.get(b"/%d" % next(COUNTER))


@pytest.mark.parametrize("asked", [misses, hits, crowds, answers_for_one, failures])
async def test_no_ring_is_left(tmp_path: Path, asked: Callable[[NodeBench], Awaitable[None]]):
    async with node_bench(tmp_path) as bench:
        await asked(bench)  # whatever is made once
        await bench.settled()
        gc.collect()
        gc.disable()
        try:
            await asked(bench)
            await bench.settled()
            bench.origin.requests.clear()
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            rings = Counter(type(thing).__module__ for thing in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert not [module for module in rings if module.startswith("edge.")], rings
