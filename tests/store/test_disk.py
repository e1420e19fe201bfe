"""The disk tier as its callers see it: what is stored, read, replaced, evicted, and kept over a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from edge.store.bodyreading import BodyFile
from edge.store.disk import NO_VARY, DiskTier, SmallPut
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.record import BLOCK_BYTES
from tests.kit.disk import MB, SMALL, body_files, body_of, opened, opened_body, primary, variant, whole

LARGE = 2 * BLOCK_BYTES + 77


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[DiskTier]:
    with opened(tmp_path) as tier:
        yield tier


def faulted(why: DiskFailure, doing: Callable[[], object]) -> None:
    with pytest.raises(DiskFault) as raised:
        doing()
    assert raised.value.why is why


@pytest.mark.parametrize("length", [0, 1, 1024, 1025, BLOCK_BYTES, LARGE])
@pytest.mark.parametrize("known", [True, False])
def test_a_response_comes_back_whatever_its_size(
    tier: DiskTier, tmp_path: Path, length: int, known: bool
) -> None:
    body = body_of(1, 1, length)
    with tier.begin(primary(1), NO_VARY, length if known else None) as writer:
        for start in range(0, length, 1000):
            writer.write(body[start : start + 1000])
        writer.finish(b"meta")
    assert whole(tier.read(primary(1))) == (b"meta", body)
    assert bool(body_files(tmp_path)) is (length > SMALL.inline_bytes)
    assert tier.variants(primary(1)) == ((NO_VARY, tier.used_bytes),)


def test_what_is_not_there_is_a_miss(tier: DiskTier) -> None:
    tier.put_small(primary(1), variant(1), b"meta", b"body")
    assert tier.read(primary(1), variant(2)) is None
    assert tier.read(primary(2)) is None
    assert tier.variants(primary(2)) == ()
    assert (tier.counters.hits, tier.counters.misses) == (0, 2)


def test_variants_of_one_primary_are_kept_apart(tier: DiskTier) -> None:
    for name in (0, 1, 2):
        tier.put_small(primary(1), variant(name), b"meta", body_of(1, name, 1000 + 100 * name))
    for name in (0, 1, 2):
        assert whole(tier.read(primary(1), variant(name))) == (b"meta", body_of(1, name, 1000 + 100 * name))
    assert [each for each, _ in tier.variants(primary(1))] == [variant(0), variant(1), variant(2)]
    assert tier.delete(primary(1), variant(1))
    assert not tier.delete(primary(1), variant(1))
    assert [each for each, _ in tier.variants(primary(1))] == [variant(0), variant(2)]
    assert tier.delete_primary(primary(1)) == 2
    assert tier.index() == {}
    assert tier.used_bytes == 0


def test_several_are_put_at_once_and_the_later_of_two_counts(tier: DiskTier) -> None:
    puts = [SmallPut(primary(name), NO_VARY, b"meta", body_of(name, 1, 500)) for name in range(5)]
    tier.put_many((*puts, SmallPut(primary(0), NO_VARY, b"later", b"body")))
    assert whole(tier.read(primary(0))) == (b"later", b"body")
    assert whole(tier.read(primary(4))) == (b"meta", body_of(4, 1, 500))
    assert len(tier) == 5


def test_all_is_there_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        tier.put_small(primary(1), NO_VARY, b"one", b"body")
        tier.put_small(primary(2), variant(1), b"two", body_of(2, 1, LARGE))
        index, used = tier.index(), tier.used_bytes
    with opened(tmp_path) as tier:
        assert (tier.index(), tier.used_bytes) == (index, used)
        assert whole(tier.read(primary(1))) == (b"one", b"body")
        assert whole(tier.read(primary(2), variant(1))) == (b"two", body_of(2, 1, LARGE))
        assert (tier.counters.orphans, tier.counters.foreign_rows, tier.counters.set_aside) == (0, 0, 0)


def test_a_replaced_body_is_streamed_to_its_end_and_its_file_is_gone(tier: DiskTier, tmp_path: Path) -> None:
    old, new = body_of(1, 1, LARGE), body_of(1, 2, LARGE)
    tier.put_small(primary(1), NO_VARY, b"old", old)
    reader = opened_body(tier.read(primary(1)))
    assert reader.read_block(0) == old[:BLOCK_BYTES]
    tier.put_small(primary(1), NO_VARY, b"new", new)
    assert len(body_files(tmp_path)) == 1
    assert whole(tier.read(primary(1))) == (b"new", new)
    assert reader.pread(0, LARGE) == old
    tier.delete(primary(1), NO_VARY)
    assert body_files(tmp_path) == []
    assert reader.pread(BLOCK_BYTES, LARGE) == old[BLOCK_BYTES:]
    reader.close()


@pytest.mark.parametrize("length", [10, LARGE])
def test_a_freshened_head_keeps_its_body(tier: DiskTier, tmp_path: Path, length: int) -> None:
    body = body_of(1, 1, length)
    tier.put_small(primary(1), NO_VARY, b"old", body)
    record = tier.read(primary(1))
    assert record is not None
    used = tier.used_bytes
    before = [(path, path.stat().st_mtime_ns) for path in body_files(tmp_path)]
    assert tier.replace_meta(primary(1), NO_VARY, b"newer" * 500, of=record.generation)
    assert whole(tier.read(primary(1))) == (b"newer" * 500, body)
    assert tier.used_bytes == tier.variants(primary(1))[0][1] > used
    assert [(path, path.stat().st_mtime_ns) for path in body_files(tmp_path)] == before
    assert not tier.replace_meta(primary(1), NO_VARY, b"wrong", of=b"\0" * 8)
    assert not tier.replace_meta(primary(2), NO_VARY, b"wrong")
    assert whole(tier.read(primary(1))) == (b"newer" * 500, body)


def test_a_head_of_the_old_body_is_not_given_to_the_new_one(tier: DiskTier) -> None:
    tier.put_small(primary(1), NO_VARY, b"old", b"old body")
    record = tier.read(primary(1))
    assert record is not None
    tier.put_small(primary(1), NO_VARY, b"new", b"new body")
    assert not tier.replace_meta(primary(1), NO_VARY, b"freshened", of=record.generation)
    assert whole(tier.read(primary(1))) == (b"new", b"new body")


def test_looking_reads_all_variants_and_is_no_use(tier: DiskTier) -> None:
    tier.put_small(primary(1), variant(0), b"small", b"body")
    tier.put_small(primary(1), variant(1), b"large", body_of(1, 1, LARGE))
    tier.put_small(primary(2), variant(0), b"other", b"body")
    rows = tier.look(primary(1))
    assert [(row.variant, row.meta) for row in rows] == [(variant(0), b"small"), (variant(1), b"large")]
    assert tuple((row.variant, row.size) for row in rows) == tier.variants(primary(1))
    assert (tier.look(primary(3)), tier.counters.hits, tier.counters.misses) == ([], 0, 0)
    assert set(tier.primaries()) == {primary(1), primary(2)}


def test_rows_are_deleted_if_they_are_as_they_were_looked_at(tier: DiskTier, tmp_path: Path) -> None:
    for name in range(5):
        tier.put_small(primary(name), NO_VARY, b"meta", body_of(name, 1, LARGE))
    rows = [row for name in range(5) for row in tier.look(primary(name))]
    tier.put_small(primary(1), NO_VARY, b"meta", body_of(1, 2, LARGE))  # another body
    assert tier.replace_meta(primary(2), NO_VARY, b"freshened")
    assert tier.delete(primary(3), NO_VARY)
    assert tier.delete_unchanged(rows) == [rows[0], rows[4]]
    assert set(tier.primaries()) == {primary(1), primary(2)}
    assert len(body_files(tmp_path)) == 2
    assert tier.delete_unchanged(rows) == []


def test_clear_leaves_nothing(tier: DiskTier, tmp_path: Path) -> None:
    for name in range(10):
        tier.put_small(primary(name), NO_VARY, b"meta", body_of(name, 1, 500 * name))
    assert tier.clear() == 10
    assert (len(tier), tier.used_bytes, body_files(tmp_path)) == (0, 0, [])
    assert tier.read(primary(1)) is None


def test_it_holds_nothing_before_it_is_opened_and_after_it_is_closed(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path / "a" / "b", MB, limits=SMALL)
    assert tier.variants(primary(1)) == ()
    assert tier.read(primary(1)) is None
    faulted(DiskFailure.NOT_OPEN, lambda: tier.put_small(primary(1), NO_VARY, b"meta", b"body"))
    tier.open()
    states = [tier.is_open]
    tier.put_small(primary(1), NO_VARY, b"meta", body_of(1, 1, LARGE))
    body = opened_body(tier.read(primary(1)))
    tier.close()
    tier.close()
    assert [*states, tier.is_open] == [True, False]
    assert tier.read(primary(1)) is None
    assert body.pread(0, LARGE) == body_of(1, 1, LARGE)
    body.close()


def test_the_directory_is_for_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "loose").mkdir(mode=0o755)
    (tmp_path / "loose").chmod(0o755)
    with opened(tmp_path / "loose") as tier:
        tier.put_small(primary(1), NO_VARY, b"meta", body_of(1, 1, LARGE))
    for path in [tmp_path / "loose", *(tmp_path / "loose").rglob("*")]:
        if path.is_dir():
            assert path.stat().st_mode & 0o777 == 0o700, path
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in body_files(tmp_path / "loose"))


def test_each_process_writes_only_what_it_owns_and_reads_all(tmp_path: Path) -> None:
    def even(key: bytes) -> bool:
        return key[-1] % 2 == 0

    def odd(key: bytes) -> bool:
        return key[-1] % 2 == 1

    names = range(12)
    one, two = (DiskTier(tmp_path, MB, owns=owns, limits=SMALL) for owns in (even, odd))
    one.open()
    two.open()
    for name in names:
        owner = one if even(primary(name)) else two
        owner.put_small(primary(name), NO_VARY, b"meta", body_of(name, 1, 300 * name))
    for tier, owns in ((one, even), (two, odd)):
        assert {name for name in names if tier.variants(primary(name))} == {
            name for name in names if owns(primary(name))
        }
        for name in names:
            assert whole(tier.read(primary(name))) == (b"meta", body_of(name, 1, 300 * name))
            if not owns(primary(name)):
                faulted(
                    DiskFailure.NOT_OWNED, partial(tier.put_small, primary(name), NO_VARY, b"meta", b"body")
                )
                assert not tier.delete(primary(name), NO_VARY)
    one.clear()
    one.close()
    one.open()  # must not sweep what two has
    assert len(one) == 0
    for name in names:
        assert (whole(two.read(primary(name))) is not None) is odd(primary(name))
    one.close()
    two.close()


def test_threads_never_see_a_body_under_the_head_of_another(tmp_path: Path) -> None:
    with opened(tmp_path, 8 * MB, limits=replace(SMALL, busy_seconds=5.0)) as tier:
        wrong: list[object] = []

        def check(name: int) -> None:
            found = whole(tier.read(primary(name)))
            if found is not None:
                version, length = map(int, found[0].split())
                if found[1] != body_of(name, version, length):
                    wrong.append((name, found[0]))

        def work(thread: int) -> None:
            try:
                for step in range(40):
                    name = (thread + step) % 3
                    length = (step * 997) % 3000
                    tier.put_small(
                        primary(name), NO_VARY, b"%d %d" % (step, length), body_of(name, step, length)
                    )
                    check((name + 1) % 3)
                    if step % 7 == 0:
                        tier.delete_primary(primary(name))
            except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert (tier.counters.damaged_bodies, tier.counters.lost_bodies, tier.counters.damaged_records) == (
            0,
            0,
            0,
        )
        assert len(body_files(tmp_path)) <= len(tier) <= 3
        assert sum(size for held in tier.index().values() for _, size in held) == tier.used_bytes


def test_a_durable_tier_stores_the_same(tmp_path: Path) -> None:
    with opened(tmp_path, limits=replace(SMALL, durable=True)) as tier:
        tier.put_small(primary(1), NO_VARY, b"meta", body_of(1, 1, LARGE))
        record = tier.read(primary(1))
        assert record is not None
        assert isinstance(record.body, BodyFile)
        assert whole(record) == (b"meta", body_of(1, 1, LARGE))
