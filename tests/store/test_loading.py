"""A key read from the disk: every variant by itself, small bodies with it."""

from __future__ import annotations

from pathlib import Path

from edge.semantics.key import variant_digest
from edge.semantics.stored import Nominated, StoredResponse
from edge.store.codec import encode
from edge.store.disk import NO_VARY, DiskTier
from edge.store.loading import MAX_BYTES, SMALL_BYTES, load_all
from edge.store.record import FILE_HEADER_BYTES
from tests.kit.disk import MB, body_files, flip, opened, primary
from tests.kit.stores import LARGE_BODY, SMALL_BODY, response

KEY = primary(1)


def by(number: int) -> Nominated:
    return ((b"x-variant", b"%d" % number),)


def written(tier: DiskTier, length: int, nominated: Nominated = ()) -> tuple[StoredResponse, bytes]:
    stored, body = response(1, length, nominated=nominated)
    tier.put_small(KEY, variant_digest(nominated), encode(stored), body)
    return stored, body


def test_a_key_that_is_not_there_is_nothing(tmp_path: Path):
    with opened(tmp_path) as tier:
        loaded = load_all(tier, KEY, MB)
        assert (loaded.found, loaded.faults, loaded.unreadable) == ([], [], [])


def test_all_variants_are_found_with_the_bodies_that_are_small(tmp_path: Path):
    with opened(tmp_path) as tier:
        expected = []
        for number, length in enumerate((0, SMALL_BODY, LARGE_BODY, SMALL_BYTES + 1)):
            stored, body = written(tier, length, by(number))
            expected.append((stored.body_id, body if length <= SMALL_BYTES else None))
        loaded = load_all(tier, KEY, 10 * MB)
        assert [(stored.body_id, body) for stored, body in loaded.found] == expected
        assert loaded.outcomes == {"found": 4}


def test_a_body_that_memory_would_not_take_stays_on_the_disk(tmp_path: Path):
    with opened(tmp_path) as tier:
        written(tier, LARGE_BODY)
        assert [body for _, body in load_all(tier, KEY, LARGE_BODY - 1).found] == [None]


def test_dozens_of_variants_do_not_fill_the_memory_by_one_look_up(tmp_path: Path):
    with opened(tmp_path) as tier:
        for number in range(12):
            written(tier, SMALL_BYTES, by(number))
        loaded = load_all(tier, KEY, 10 * MB)
        assert len(loaded.found) == 12
        assert sum(len(body or b"") for _, body in loaded.found) == MAX_BYTES


def test_a_damaged_body_is_a_miss_of_that_variant_only(tmp_path: Path):
    with opened(tmp_path) as tier:
        written(tier, LARGE_BODY, by(1))
        (file,) = body_files(tmp_path)
        flip(file, FILE_HEADER_BYTES + 1000)
        good, body = written(tier, SMALL_BODY, by(2))
        loaded = load_all(tier, KEY, MB)
        assert [(stored.body_id, found) for stored, found in loaded.found] == [(good.body_id, body)]
        assert len(loaded.faults) == 1
        assert loaded.outcomes == {"found": 1, "failed": 1}
        assert load_all(tier, KEY, MB).outcomes == {"found": 1}


def test_a_record_that_says_nothing_to_us_is_named(tmp_path: Path):
    with opened(tmp_path) as tier:
        written(tier, SMALL_BODY, by(1))
        tier.put_small(KEY, NO_VARY, b"of another version", b"body")
        loaded = load_all(tier, KEY, MB)
        assert len(loaded.found) == 1
        assert loaded.unreadable == [NO_VARY]
        assert loaded.outcomes == {"found": 1, "corrupt": 1}


def test_a_record_under_the_name_of_another_is_not_believed(tmp_path: Path):
    with opened(tmp_path) as tier:
        other, body = response(2)
        tier.put_small(KEY, NO_VARY, encode(other), body)
        tier.put_small(KEY, variant_digest(by(1)), encode(response(1)[0]), body)
        loaded = load_all(tier, KEY, MB)
        assert loaded.found == []
        assert len(loaded.unreadable) == 2


def test_a_disk_that_was_closed_meanwhile_is_a_fault_and_no_error(tmp_path: Path):
    with opened(tmp_path) as tier:
        written(tier, SMALL_BODY)
        rows, tier._ledger._rows = tier._ledger._rows, None
        loaded = load_all(tier, KEY, MB)
        tier._ledger._rows = rows
        assert loaded.found == []
        assert loaded.outcomes == {"failed": 1}
