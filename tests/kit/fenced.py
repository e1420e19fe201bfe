"""fenced: a node bench whose purge log is turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.semantics.rules import SiteRules
from tests.kit.clock import ManualClock
from tests.kit.log_reader import HandReader
from tests.kit.node_bench import NodeBench, node_bench


@asynccontextmanager
async def fenced(
    folder: Path, rules: SiteRules | None = None, **more: object
) -> AsyncIterator[tuple[NodeBench, HandReader]]:
    reader = HandReader(ManualClock())
    async with node_bench(folder, rules, reader=reader, **more) as bench:  # type: ignore[arg-type]  # by the test
        reader.table, reader.clock = bench.fence.table, bench.clock
        reader.proven_at = bench.clock.mono()
        yield bench, reader
