"""The write side of the disk tier: the ceiling, the limits, and who leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.store.disk import NO_VARY, DiskTier, SmallPut
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.record import OVERHEAD_BYTES, PAGE_BYTES, decode, row_bytes
from tests.kit.disk import MB, SMALL, body_files, body_of, opened, primary, variant, whole


def faulted(why: DiskFailure, doing: Callable[[], object]) -> None:
    with pytest.raises(DiskFault) as raised:
        doing()
    assert raised.value.why is why


def test_one_more_variant_than_the_limit_displaces_the_oldest(tmp_path: Path) -> None:
    with opened(tmp_path, limits=replace(SMALL, variants=2)) as tier:
        for name in (0, 1):
            tier.put_small(primary(1), variant(name), b"meta", b"body")
        assert len(tier.variants(primary(1))) == 2
        tier.put_small(primary(1), variant(2), b"meta", b"body")
        assert [each for each, _ in tier.variants(primary(1))] == [variant(1), variant(2)]
        tier.put_small(primary(1), variant(1), b"new", b"body")
        assert {each for each, _ in tier.variants(primary(1))} == {variant(1), variant(2)}
    with opened(tmp_path, limits=replace(SMALL, variants=1)) as tier:
        assert len(tier.variants(primary(1))) == 1


def test_the_ceiling_is_reached_and_never_passed(tmp_path: Path) -> None:
    with opened(tmp_path, MB) as tier:
        for name in range(60):
            tier.put_small(primary(name), NO_VARY, b"meta", body_of(name, 1, (name * 7919) % 100_000))
            assert tier.used_bytes <= MB
            assert whole(tier.read(primary(name))) is not None
        assert tier.used_bytes > MB // 2
        assert tier.counters.evicted > 0
        on_disk = sum(path.stat().st_size for path in body_files(tmp_path))
        assert on_disk < tier.used_bytes
        assert len(body_files(tmp_path)) <= len(tier) == len(tier.index())


def test_a_body_that_fills_the_ceiling_displaces_everything_and_one_byte_more_nothing(tmp_path: Path) -> None:
    row = row_bytes(OVERHEAD_BYTES + len(b"meta"))
    largest = (MB - row) // PAGE_BYTES * PAGE_BYTES - 128 - 4 * 16
    with opened(tmp_path, MB) as tier:
        tier.put_small(primary(1), NO_VARY, b"meta", bytes(20_000))
        faulted(
            DiskFailure.TOO_LARGE,
            lambda: tier.put_small(primary(2), NO_VARY, b"meta", bytes(largest + 1)),
        )
        faulted(DiskFailure.TOO_LARGE, lambda: tier.begin(primary(2), NO_VARY, largest + 1))
        assert set(tier.index()) == {primary(1)}
        tier.put_small(primary(2), NO_VARY, b"meta", bytes(largest))
        assert MB - PAGE_BYTES < tier.used_bytes <= MB
        assert set(tier.index()) == {primary(2)}
        with tier.begin(primary(3), NO_VARY, None) as writer:
            faulted(DiskFailure.TOO_LARGE, lambda: writer.write(bytes(2 * MB)))
        assert tier.used_bytes <= MB
        assert len(body_files(tmp_path)) == len(tier)


def test_a_row_that_was_replaced_meanwhile_is_not_rewritten(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        key = primary(1) + NO_VARY
        tier.put_small(primary(1), NO_VARY, b"old", b"old body")
        old = tier._ledger.rows.get(key)
        assert old is not None
        tier.put_small(primary(1), NO_VARY, b"new", b"new body")
        assert not tier._ledger.rewrite(key, old, replace(decode(key, old), meta=b"freshened"))
        assert whole(tier.read(primary(1))) == (b"new", b"new body")


def test_bodies_being_written_count_and_are_not_evicted(tmp_path: Path) -> None:
    with opened(tmp_path, MB) as tier:
        one = tier.begin(primary(1), NO_VARY, 700_000)
        one.write(bytes(700_000))
        assert tier.used_bytes >= 700_000
        with tier.begin(primary(2), NO_VARY, 700_000) as two:
            faulted(DiskFailure.NO_ROOM, lambda: two.write(bytes(700_000)))
        one.finish(b"meta")
        assert whole(tier.read(primary(1))) == (b"meta", bytes(700_000))


def test_who_was_used_stays(tmp_path: Path) -> None:
    with opened(tmp_path, MB) as tier:
        for name in range(4):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(200_000))
        tier.touch(primary(0), NO_VARY)
        assert tier.read(primary(2)) is not None
        for name in (4, 5, 6):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(200_000))
        assert {name for name in range(7) if tier.variants(primary(name))} >= {0, 2, 6}
        assert not tier.variants(primary(1))
        assert not tier.variants(primary(3))


def test_the_order_of_use_survives_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path, MB) as tier:
        for name in range(4):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(200_000))
        tier.touch(primary(0), NO_VARY)
        tier.touch(primary(77), NO_VARY)
    with opened(tmp_path, MB) as tier:
        for name in (4, 5):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(200_000))
        assert {name for name in range(6) if tier.variants(primary(name))} == {0, 2, 3, 4, 5}


def test_a_lowered_ceiling_holds_from_the_start(tmp_path: Path) -> None:
    with opened(tmp_path, 4 * MB) as tier:
        for name in range(30):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(100_000))
    with opened(tmp_path, MB) as tier:
        assert 0 < tier.used_bytes <= MB
        assert len(body_files(tmp_path)) == len(tier)


def test_the_limit_of_rows_holds(tmp_path: Path) -> None:
    with opened(tmp_path, limits=replace(SMALL, rows=5)) as tier:
        for name in range(5):
            tier.put_small(primary(name), NO_VARY, b"meta", b"body")
        assert len(tier) == 5
        tier.put_many(tuple(SmallPut(primary(name), NO_VARY, b"meta", b"body") for name in range(5, 8)))
        assert len(tier) == 5
        assert tier.counters.evicted == 3


def test_tending_writes_what_was_touched(tmp_path: Path) -> None:
    with opened(tmp_path, MB) as tier:
        for name in range(4):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(200_000))
        tier.touch(primary(0), NO_VARY)
        tier.tend()
        other = DiskTier(tmp_path, 500_000, limits=SMALL)
        other.open()
        assert set(other.index()) == {primary(0), primary(3)}
        other.close()
