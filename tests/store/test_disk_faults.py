"""The disk tier when the world fails: killed in mid-write, disk full, read-only, out of descriptors, a hanging writer."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge.store.disk import NO_VARY, DiskTier, SmallPut
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.record import BLOCK_BYTES
from tests.kit.disk import MB, SMALL, body_files, body_of, opened, opened_body, primary, whole
from tests.kit.disk_process import NAMES, owner_of, tier_of

LARGE = 2 * BLOCK_BYTES + 77
ROOT = Path(__file__).parents[2]


def fault_of_put(tier: DiskTier, name: int, body: bytes) -> DiskFailure:
    with pytest.raises(DiskFault) as raised:
        tier.put_small(primary(name), NO_VARY, b"meta", body)
    assert tier.variants(primary(name)) == ()
    return raised.value.why


def start_writer(
    directory: Path, part: int, parts: int, first: int, *, stop: int = 1 << 30
) -> subprocess.Popen[str]:
    numbers = [str(number) for number in (part, parts, first, stop)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kit.disk_process", str(directory), *numbers],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_until_killed(writer: subprocess.Popen[str], lines: int) -> dict[int, int]:
    """Kill -9 after so many lines, or in mid-write where it stops; name -> last version whose write had returned."""
    acknowledged: dict[int, int] = {}
    assert writer.stdout is not None
    with writer.stdout as output:
        for number, line in enumerate(output):
            if number == lines or line == "stopped\n":
                writer.kill()
            if line == "stopped\n":
                continue
            name, version = map(int, line.split())
            acknowledged[name] = version
    assert writer.wait() == -9
    return acknowledged


def check_all(directory: Path, parts: int, acknowledged: dict[int, int]) -> None:
    """Everything that is held reads right, and nothing that was acknowledged is missing."""
    for part in range(parts):
        tier = tier_of(directory, part, parts)
        tier.open()
        assert len(tier) <= sum(owner_of(name, parts) == part for name in range(NAMES))
        for name in range(NAMES):
            if owner_of(name, parts) != part:
                continue
            found = whole(tier.read(primary(name)))
            if found is None:
                assert name not in acknowledged
                continue
            said_name, version, length, _ = map(int, found[0].split())
            assert said_name == name
            assert found[1] == body_of(name, version, length)
            assert version >= acknowledged.get(name, 0)
        counters = tier.counters
        assert counters.damaged_records == counters.damaged_bodies == counters.lost_bodies == 0
        assert counters.set_aside == counters.foreign_rows == 0
        tier.close()
    held = sum(path.suffix != ".part" for path in body_files(directory))
    assert held == len(body_files(directory)) <= NAMES


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_a_killed_writer_leaves_is_right_and_complete(tmp_path: Path) -> None:
    acknowledged: dict[int, int] = {}
    for round_, lines in enumerate((3, 40, 97, 150, 61, 30)):
        writer = start_writer(tmp_path, 0, 1, 1 + 10_000 * round_)
        acknowledged |= lines_until_killed(writer, lines)
        check_all(tmp_path, 1, acknowledged)
    assert len(acknowledged) == NAMES


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_body_that_was_being_written_at_the_kill_is_swept(tmp_path: Path) -> None:
    acknowledged: dict[int, int] = {}
    for round_, stop in enumerate((1, 20, 43)):
        first = 1 + 10_000 * round_
        acknowledged |= lines_until_killed(start_writer(tmp_path, 0, 1, first, stop=first + stop), 1 << 30)
        assert sum(path.suffix == ".part" for path in body_files(tmp_path)) == 1
        check_all(tmp_path, 1, acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_killed_writer_does_not_disturb_another_that_shares_the_directory(tmp_path: Path) -> None:
    survivor = start_writer(tmp_path, 0, 2, 1)
    assert survivor.stdout is not None
    name, version = map(int, survivor.stdout.readline().split())
    kept = {name: version}
    acknowledged: dict[int, int] = {}
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(lines_until_killed, survivor, 400)
        for round_, lines in enumerate((3, 50, 120)):
            acknowledged |= lines_until_killed(start_writer(tmp_path, 1, 2, 1 + 10_000 * round_), lines)
        kept |= following.result()
    check_all(tmp_path, 2, acknowledged | kept)


@contextmanager
def largest_file(nbytes: int) -> Iterator[None]:
    """No file of this process grows beyond `nbytes`: what a full disk looks like to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_stores_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, limits=replace(SMALL, inline_bytes=32_768)) as tier:
        tier.put_small(primary(1), NO_VARY, b"one", b"body")
        tier.put_small(primary(2), NO_VARY, b"two", body_of(2, 1, 100_000))
        with largest_file(300_000):
            assert fault_of_put(tier, 3, bytes(LARGE)) is DiskFailure.NO_SPACE
            assert len(body_files(tmp_path)) == 1
            held = 0
            with pytest.raises(DiskFault) as raised:
                for name in range(10, 1000):
                    tier.put_small(primary(name), NO_VARY, b"meta", body_of(name, 1, 30_000))
                    held = name
            assert raised.value.why in {DiskFailure.NO_SPACE, DiskFailure.IO}
            assert held > 10
            assert tier.variants(primary(held + 1)) == ()
            assert whole(tier.read(primary(1))) == (b"one", b"body")
            assert whole(tier.read(primary(2))) == (b"two", body_of(2, 1, 100_000))
            assert whole(tier.read(primary(held))) == (b"meta", body_of(held, 1, 30_000))
        tier.put_small(primary(3), NO_VARY, b"three", bytes(LARGE))
        assert whole(tier.read(primary(3))) == (b"three", bytes(LARGE))
        used, index = tier.used_bytes, tier.index()
        assert sum(size for held_ in index.values() for _, size in held_) == used
    with opened(tmp_path) as tier:
        assert (tier.used_bytes, tier.index()) == (used, index)
        assert tier.counters.set_aside == tier.counters.orphans == 0


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of ours while we are not root, for whom nothing is read-only."""
    nobody = 65534
    directory = Path(tempfile.mkdtemp(prefix="disk-tier-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(directory, nobody, nobody)
        os.seteuid(nobody)
    try:
        yield directory
    finally:
        if is_root:
            os.seteuid(0)
        for path in [directory, *directory.rglob("*")]:
            with suppress(OSError):
                path.chmod(0o700)
        shutil.rmtree(directory)


def test_a_directory_that_cannot_be_written_is_a_fault_that_says_so(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    tier = DiskTier(unprivileged / "store", MB, limits=SMALL)
    with pytest.raises(DiskFault) as raised:
        tier.open()
    assert raised.value.why is DiskFailure.READ_ONLY
    assert tier.counters.faults[DiskFailure.READ_ONLY] == 1
    assert tier.variants(primary(1)) == ()
    assert tier.read(primary(1)) is None
    unprivileged.chmod(0o700)
    tier.open()
    tier.put_small(primary(1), NO_VARY, b"meta", b"body")
    tier.close()


def test_what_is_stored_is_served_from_a_directory_that_became_read_only(unprivileged: Path) -> None:
    with opened(unprivileged) as tier:
        tier.put_small(primary(1), NO_VARY, b"one", b"body")
        tier.put_small(primary(2), NO_VARY, b"two", body_of(2, 1, LARGE))
        for path in (unprivileged / "live").rglob("*"):
            path.chmod(0o500 if path.is_dir() else 0o400)
        assert fault_of_put(tier, 3, bytes(LARGE)) is DiskFailure.READ_ONLY
        with ThreadPoolExecutor(1) as thread:  # whose connection finds files that are read-only
            assert thread.submit(fault_of_put, tier, 3, b"small").result() is DiskFailure.READ_ONLY
            found = thread.submit(lambda: whole(tier.read(primary(1)))).result()
            assert found == (b"one", b"body")
        assert whole(tier.read(primary(2))) == (b"two", body_of(2, 1, LARGE))
        for path in (unprivileged / "live").rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)


def test_a_file_in_the_place_of_the_directory_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    tier = DiskTier(tmp_path / "store", MB, limits=SMALL)
    with pytest.raises(DiskFault):
        tier.open()
    assert not tier.is_open


@contextmanager
def no_descriptors() -> Iterator[None]:
    """The process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors_it_serves_what_is_open_and_recovers(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        for name in (1, 2):
            tier.put_small(primary(name), NO_VARY, b"meta", body_of(name, 1, LARGE))
        tier.put_small(primary(3), NO_VARY, b"meta", b"body")
        reader = opened_body(tier.read(primary(1)))
        with no_descriptors():
            assert reader.pread(0, LARGE) == body_of(1, 1, LARGE)
            assert whole(tier.read(primary(1))) == (b"meta", body_of(1, 1, LARGE))
            assert whole(tier.read(primary(3))) == (b"meta", b"body")
            with pytest.raises(DiskFault) as raised:
                tier.read(primary(2))
            assert raised.value.why is DiskFailure.NO_DESCRIPTORS
            assert fault_of_put(tier, 4, bytes(LARGE)) is DiskFailure.NO_DESCRIPTORS
        reader.close()
        assert whole(tier.read(primary(2))) == (b"meta", body_of(2, 1, LARGE))
        tier.put_small(primary(4), NO_VARY, b"meta", bytes(LARGE))
        assert tier.counters.damaged_bodies == tier.counters.lost_bodies == 0


def test_a_writer_that_hangs_in_another_process_delays_no_one_for_ever(tmp_path: Path) -> None:
    with opened(tmp_path, limits=replace(SMALL, busy_seconds=0.05)) as tier:
        tier.put_small(primary(1), NO_VARY, b"one", body_of(1, 1, LARGE))
        index, used = tier.index(), tier.used_bytes
        database = tmp_path / "live" / "cache.db"
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert fault_of_put(tier, 2, b"small") is DiskFailure.BUSY
            assert fault_of_put(tier, 2, bytes(LARGE)) is DiskFailure.BUSY
            with pytest.raises(DiskFault):
                tier.delete(primary(1), NO_VARY)
            with pytest.raises(DiskFault):
                tier.replace_meta(primary(1), NO_VARY, b"new")
            assert (tier.index(), tier.used_bytes) == (index, used)
            assert whole(tier.read(primary(1))) == (b"one", body_of(1, 1, LARGE))
            assert len(body_files(tmp_path)) == 1
            other.execute("ROLLBACK")
        assert tier.delete(primary(1), NO_VARY)
        assert tier.counters.faults == {DiskFailure.BUSY: 4}


def test_an_eviction_that_fails_leaves_everyone_where_they_were(tmp_path: Path) -> None:
    with opened(tmp_path, MB, limits=replace(SMALL, busy_seconds=0.05)) as tier:
        for name in range(8):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(120_000))
        for name in range(20, 24):
            tier.put_small(primary(name), NO_VARY, b"meta", bytes(20_000 if name == 20 else 1000))
        index = tier.index()
        with closing(sqlite3.connect(tmp_path / "live" / "cache.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert fault_of_put(tier, 9, bytes(900_000)) is DiskFailure.BUSY
            with pytest.raises(DiskFault):
                tier.put_many(
                    tuple(SmallPut(primary(name), NO_VARY, b"meta", bytes(1000)) for name in range(100, 140))
                )
            assert tier.index() == index
            other.execute("ROLLBACK")
        tier.put_small(primary(9), NO_VARY, b"meta", bytes(900_000))
        assert whole(tier.read(primary(9))) == (b"meta", bytes(900_000))
        assert tier.used_bytes <= MB
        assert tier.clear() > 0
        assert tier.used_bytes == 0
