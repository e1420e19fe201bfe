"""The store of one worker, as its settings want it, and what goes wrong with it.

Owns: `make_store` and `StoreFaults`. Rules: the disk is divided evenly among the workers, each writes what it owns; a fault is
told once in a while for each kind, since clients can cause them at will, and the metrics count each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.clock import Clock
from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.stored import StoredResponse
from edge.settings.node import NodeSettings
from edge.store.disk import DiskTier
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_limits import DiskLimits
from edge.store.memory import MemoryTier
from edge.store.store import Store

log = logging.getLogger("edge.server.worker")

WRITE_BEHIND_BYTES = 64 * 1024 * 1024
STORE_FAULT_SECONDS = 60.0
"""A kind of store fault is logged this often at most."""
_ORDINARY = frozenset((DiskFailure.TOO_LARGE,))
"""What the disk refuses by its settings is no fault of it."""


class StoreFaults:
    """latest: the last one that was no ordinary refusal; None = there was none."""

    def __init__(self, clock: Clock) -> None:
        self.latest: str | None = None
        self._clock = clock
        self._tell_after: dict[DiskFailure | None, float] = {}

    def note(self, fault: StoreFault) -> None:
        """One more."""
        why = fault.why if isinstance(fault, DiskFault) else None
        if why in _ORDINARY:
            return
        self.latest = fault.detail
        now = self._clock.mono()
        if now >= self._tell_after.get(why, 0.0):
            self._tell_after[why] = now + STORE_FAULT_SECONDS
            log.error("store: %s", fault.detail)


def make_store(
    settings: NodeSettings,
    *,
    count: int,
    owns: Callable[[bytes], bool],
    open_files: int,
    measures: Measures,
    faults: StoreFaults,
) -> Store:
    """Not yet opened. count: workers of the node. open_files: stored bodies that may be read at a time."""
    memory: MemoryTier[StoredResponse] = MemoryTier(settings.memory.capacity, settings.memory.max_object)
    disk = None
    if settings.disk.capacity is not None:
        disk = DiskTier(
            settings.data_dir / "cache",
            settings.disk.capacity // count,
            owns=owns,
            limits=DiskLimits(
                inline_bytes=settings.disk.inline,
                durable=settings.disk.fsync,
                open_files=open_files,
                idle_files=min(64, open_files // 2),
            ),
        )
    _watch(measures, memory, disk, (settings.disk.capacity or 0) // count)
    return Store(
        memory,
        disk,
        measures=measures,
        write_behind_bytes=WRITE_BEHIND_BYTES,
        owns=owns,
        on_fault=faults.note,
        min_hits=settings.disk.min_hits,
    )


def _watch(measures: Measures, memory: MemoryTier[StoredResponse], disk: DiskTier | None, share: int) -> None:
    """Gauges are read on scrape. share: of the disk's capacity."""
    measures.stored_bytes.of("memory").source = lambda: memory.used_bytes
    measures.stored_limit_bytes.of("memory").value = memory.capacity_bytes
    measures.stored_responses.of("memory").source = lambda: memory.objects
    if disk is not None:
        measures.stored_bytes.of("disk").source = lambda: disk.used_bytes
        measures.stored_limit_bytes.of("disk").value = share
        measures.stored_responses.of("disk").source = lambda: len(disk)
