"""What the fence says to the sweep; and the method PURGE where there is no desk."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.selectors import Host, Selector
from tests.kit.fenced import fenced
from tests.kit.node_bench import node_bench
from tests.kit.scripted_upstream import Said

# --- the sweep ---


@pytest.mark.parametrize(
    ("items", "soft", "expected"),
    [
        ((Host(b"a.example"),), False, None),
        ((Host(b"a.example"),), True, 0),  # it may be served as stale
        ((Host(b"b.example"),), False, 1),
    ],
)
async def test_the_sweep_drops_what_is_gone_and_keeps_the_rest(
    tmp_path: Path, items: tuple[Selector, ...], soft: bool, expected: int | None
):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a")
        log.order(*items, soft=soft)
        (stored,) = bench.held(b"/a")
        assert bench.fence.judged(stored, 0, bench.node.sites) == expected


# --- PURGE on the public port ---


async def test_the_method_purge_is_for_the_desk_where_there_is_one(tmp_path: Path):
    async with node_bench(tmp_path) as bench:
        bench.origin.says(Said(200, (), b"the origin's"))
        assert (await bench.ask(b"PURGE", b"/a")).body == b"the origin's"
