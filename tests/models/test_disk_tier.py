"""The disk tier against a dictionary: whatever is done, in whatever order, with restarts in between."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.store.bodyreading import BodyFile
from edge.store.disk import DiskTier, SmallPut
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_writer import BodyWriter
from edge.store.record import BLOCK_BYTES
from tests.kit.disk import MB, SMALL, body_files, body_of, primary, variant, whole

CEILING = MB
LIMITS = replace(SMALL, variants=3, rows=6)

names = st.integers(0, 3)
variants = st.integers(0, 3)
lengths = st.sampled_from([0, 1, 500, 1024, 1025, 30_000, BLOCK_BYTES, BLOCK_BYTES + 1, 400_000])
metas = st.binary(max_size=40)
Key = tuple[int, int]


def only_for_want_of_room(fault: DiskFault) -> None:
    """Bodies that were begun and not ended may fill the ceiling; nothing else may fail."""
    if fault.why is not DiskFailure.NO_ROOM:
        raise fault


class DiskTierAgainstADict(RuleBasedStateMachine):
    """The model holds everything that was stored and not deleted; the tier may have evicted of that, nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="disk-tier-"))
        self.model: dict[Key, tuple[bytes, bytes]] = {}
        self.writers: dict[Key, list[tuple[BodyWriter, bytes]]] = {}
        self.readers: list[tuple[BodyFile, bytes]] = []
        self.version = 0
        self.tier = self.opened()

    def opened(self) -> DiskTier:
        tier = DiskTier(self.directory, CEILING, limits=LIMITS)
        tier.open()
        return tier

    def new_body(self, key: Key, length: int) -> bytes:
        self.version += 1
        return body_of(key[0] * 10 + key[1], self.version, length)

    @rule(name=names, kind=variants, meta=metas, length=lengths)
    def put(self, name: int, kind: int, meta: bytes, length: int) -> None:
        body = self.new_body((name, kind), length)
        try:
            self.tier.put_small(primary(name), variant(kind), meta, body)
        except DiskFault as fault:
            only_for_want_of_room(fault)
        else:
            self.model[name, kind] = (meta, body)
            assert whole(self.tier.read(primary(name), variant(kind))) == (meta, body)

    @rule(several=st.lists(st.tuples(names, variants, metas, st.integers(0, 1024)), min_size=1, max_size=5))
    def put_many(self, several: list[tuple[int, int, bytes, int]]) -> None:
        puts = []
        for name, kind, meta, length in several:
            body = self.new_body((name, kind), length)
            puts.append(SmallPut(primary(name), variant(kind), meta, body))
            self.model[name, kind] = (meta, body)
        self.tier.put_many(tuple(puts))

    @rule(name=names, kind=variants, length=lengths, known=st.booleans())
    def begin(self, name: int, kind: int, length: int, known: bool) -> None:
        body = self.new_body((name, kind), length)
        writer = self.tier.begin(primary(name), variant(kind), length if known else None)
        try:
            for start in range(0, length, 100_000):
                writer.write(body[start : start + 100_000])
        except DiskFault as fault:
            only_for_want_of_room(fault)
        else:
            self.writers.setdefault((name, kind), []).append((writer, body))

    @rule(data=st.data(), meta=metas, finish=st.booleans())
    def end(self, data: st.DataObject, meta: bytes, finish: bool) -> None:
        if not self.writers:
            return
        key = data.draw(st.sampled_from(sorted(self.writers)))
        writer, body = self.writers[key].pop()
        if not self.writers[key]:
            del self.writers[key]
        if not finish:
            writer.abort()
            return
        try:
            writer.finish(meta)
        except DiskFault as fault:
            only_for_want_of_room(fault)
        else:
            self.model[key] = (meta, body)

    @rule(name=names, kind=variants, meta=metas)
    def freshen(self, name: int, kind: int, meta: bytes) -> None:
        if self.tier.replace_meta(primary(name), variant(kind), meta):
            self.model[name, kind] = (meta, self.model[name, kind][1])

    @rule(name=names, kind=variants)
    def delete(self, name: int, kind: int) -> None:
        held = any(each == variant(kind) for each, _ in self.tier.variants(primary(name)))
        assert self.tier.delete(primary(name), variant(kind)) is held
        self.model.pop((name, kind), None)

    @rule(name=names)
    def delete_primary(self, name: int) -> None:
        assert self.tier.delete_primary(primary(name)) <= LIMITS.variants
        assert self.tier.variants(primary(name)) == ()
        self.model = {key: value for key, value in self.model.items() if key[0] != name}

    @rule()
    def clear(self) -> None:
        self.tier.clear()
        assert len(self.tier) == 0
        self.model.clear()

    @rule(name=names, kind=variants)
    def touch(self, name: int, kind: int) -> None:
        self.tier.touch(primary(name), variant(kind))

    @rule(name=names, kind=variants)
    def start_reading(self, name: int, kind: int) -> None:
        record = self.tier.read(primary(name), variant(kind))
        if record is not None and isinstance(record.body, BodyFile):
            self.readers.append((record.body, self.model[name, kind][1]))

    @rule()
    def finish_reading(self) -> None:
        for body, expected in self.readers:
            assert body.pread(0, body.length) == expected
            body.close()
        self.readers.clear()

    @rule()
    def reopen(self) -> None:
        self.writers.clear()  # dropped without `finish`
        before = self.tier.index()
        self.tier.close()
        self.tier = self.opened()
        assert {key: set(held) for key, held in self.tier.index().items()} == {
            key: set(held) for key, held in before.items()
        }
        assert self.tier.counters.orphans == 0

    @rule()
    def tend(self) -> None:
        self.tier.tend()

    @invariant()
    def everything_held_is_right(self) -> None:
        index = self.tier.index()
        keys = [(name, kind) for name in range(4) for kind in range(4)]
        for name, kind in keys:
            found = whole(self.tier.read(primary(name), variant(kind)))
            held = variant(kind) in dict(index.get(primary(name), ()))
            assert (found is not None) is held
            assert found is None or found == self.model[name, kind]
        assert sum(map(len, index.values())) == len(self.tier) <= LIMITS.rows
        assert all(len(held) <= LIMITS.variants for held in index.values())

    @invariant()
    def nothing_is_over_the_ceiling(self) -> None:
        assert self.tier.used_bytes <= CEILING
        assert sum(path.stat().st_size for path in body_files(self.directory)) <= CEILING
        if not self.writers:
            index = self.tier.index()
            assert sum(size for held in index.values() for _, size in held) == self.tier.used_bytes

    @invariant()
    def nothing_is_damaged(self) -> None:
        counters = self.tier.counters
        assert counters.damaged_bodies == counters.damaged_records == counters.lost_bodies == 0

    def teardown(self) -> None:
        for body, _ in self.readers:
            body.close()
        self.writers.clear()
        self.tier.close()
        shutil.rmtree(self.directory)


TestDiskTierAgainstADict = pytest.mark.slow(DiskTierAgainstADict.TestCase)
TestDiskTierAgainstADict.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
