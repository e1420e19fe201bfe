"""The format of body files: written whole or not at all, read block by block, every byte verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.store.bodyfile import PART, FileWriter, file_name, parse_name
from edge.store.bodyreading import BodyFile, open_body
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.openfiles import OpenFiles
from edge.store.record import BLOCK_BYTES, FILE_HEADER_BYTES, FiledBody, file_bytes
from tests.kit.disk import body_of, flip

KEY = bytes(range(48))
GENERATION = b"\x01" * 8
OTHER = b"\x02" * 8
LENGTH = 2 * BLOCK_BYTES + 1000
BODY = body_of(1, 1, LENGTH)


def no_damage() -> None:
    raise AssertionError("a block was found damaged")


class Bodies:
    """A directory of bodies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = OpenFiles(idle=4, most=16)
        self.reserved = 0

    def reserve(self, nbytes: int) -> None:
        self.reserved += nbytes

    def writer(
        self, generation: bytes = GENERATION, *, expected: int | None = None, durable: bool = False
    ) -> FileWriter:
        return FileWriter(
            self.directory,
            KEY,
            generation,
            expected=expected,
            reserve=self.reserve,
            durable=durable,
            files=self.files,
        )

    def write(self, body: bytes, generation: bytes = GENERATION) -> FiledBody:
        writer = self.writer(generation)
        writer.write(body)
        return writer.seal()

    def open(
        self, filed: FiledBody, generation: bytes = GENERATION, damaged: Callable[[], None] = no_damage
    ) -> BodyFile:
        return open_body(self.directory, KEY, generation, filed, files=self.files, damaged=damaged)

    def path(self, generation: bytes = GENERATION) -> Path:
        return self.directory / file_name(KEY, generation)

    def names(self) -> list[str]:
        return [path.name for path in self.directory.rglob("*") if path.is_file()]


@pytest.fixture
def bodies(tmp_path: Path) -> Bodies:
    return Bodies(tmp_path)


@pytest.mark.parametrize("length", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, LENGTH])
def test_a_body_comes_back_whatever_the_chunks_it_came_in(bodies: Bodies, length: int) -> None:
    writer = bodies.writer(expected=length)
    for start in range(0, length, 60_001):
        writer.write(memoryview(BODY)[start : min(length, start + 60_001)])
    filed = writer.seal()
    assert filed.length == length
    assert bodies.path().stat().st_size == file_bytes(length) == bodies.reserved
    with bodies.open(filed) as body:
        assert body.pread(0, length + 1) == BODY[:length]
        assert b"".join(body.read_block(number) for number in range(body.blocks)) == BODY[:length]


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0),
        (0, 1),
        (BLOCK_BYTES - 1, 2),
        (BLOCK_BYTES, BLOCK_BYTES),
        (5, LENGTH),
        (LENGTH - 1, 1),
        (LENGTH - 1, 100),
        (LENGTH, 10),
        (LENGTH + 5, 10),
    ],
)
def test_a_range_is_cut_out_of_verified_blocks(bodies: Bodies, offset: int, length: int) -> None:
    with bodies.open(bodies.write(BODY)) as body:
        assert body.pread(offset, length) == BODY[offset : offset + length]


def test_there_is_no_block_beyond_the_last(bodies: Bodies) -> None:
    with bodies.open(bodies.write(BODY)) as body:
        for number in (-1, 3):
            with pytest.raises(IndexError):
                body.read_block(number)


def test_it_has_its_name_only_when_it_is_complete(bodies: Bodies) -> None:
    writer = bodies.writer()
    writer.write(BODY)
    assert bodies.names() == [bodies.path().name + PART]
    writer.seal()
    assert bodies.names() == [bodies.path().name]


def test_a_durable_body_reads_the_same(bodies: Bodies) -> None:
    writer = bodies.writer(durable=True)
    writer.write(BODY)
    with bodies.open(writer.seal()) as body:
        assert body.pread(0, LENGTH) == BODY


def test_nothing_is_left_of_a_discarded_one(bodies: Bodies) -> None:
    writer = bodies.writer()
    writer.write(BODY)
    writer.discard()
    sealed = bodies.writer(OTHER)
    sealed.write(BODY)
    sealed.seal()
    sealed.discard()
    assert bodies.names() == []


def test_nothing_is_left_when_there_is_no_room(bodies: Bodies) -> None:
    def reserve(nbytes: int) -> None:
        bodies.reserved += nbytes
        if bodies.reserved > BLOCK_BYTES + 1000:
            raise DiskFault(DiskFailure.NO_ROOM, "full")

    writer = FileWriter(
        bodies.directory, KEY, GENERATION, expected=None, reserve=reserve, durable=False, files=bodies.files
    )
    with pytest.raises(DiskFault) as raised:
        writer.write(BODY)
    assert raised.value.why is DiskFailure.NO_ROOM
    assert bodies.names() == []


@pytest.mark.parametrize(
    "offset",
    [0, 4, 8, 20, 30, 80, 127, FILE_HEADER_BYTES + LENGTH, FILE_HEADER_BYTES + LENGTH + 47],
    ids=["magic", "version", "block-size", "generation", "key", "digest", "padding", "table", "table-end"],
)
def test_a_flipped_bit_in_header_or_table_is_found_on_opening(bodies: Bodies, offset: int) -> None:
    filed = bodies.write(BODY)
    flip(bodies.path(), offset)
    with pytest.raises(DiskFault) as raised:
        bodies.open(filed)
    assert raised.value.why is DiskFailure.DAMAGED
    assert len(bodies.files) == 0


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_flipped_bit_in_a_block_is_found_when_that_block_is_read(bodies: Bodies, number: int) -> None:
    filed = bodies.write(BODY)
    flip(bodies.path(), FILE_HEADER_BYTES + number * BLOCK_BYTES + 7)
    found: list[str] = []
    with bodies.open(filed, damaged=lambda: found.append("damaged")) as body:
        for sound in {0, 1, 2} - {number}:
            start = sound * BLOCK_BYTES
            assert body.read_block(sound) == BODY[start : start + BLOCK_BYTES]
        assert not found
        with pytest.raises(DiskFault) as raised:
            body.pread(number * BLOCK_BYTES, 1)
        assert raised.value.why is DiskFailure.DAMAGED
        assert found == ["damaged"]


@pytest.mark.parametrize("size", [0, 1, FILE_HEADER_BYTES, FILE_HEADER_BYTES + 1000, file_bytes(LENGTH) - 1])
def test_a_truncated_file_is_refused(bodies: Bodies, size: int) -> None:
    filed = bodies.write(BODY)
    with bodies.path().open("r+b") as file:
        file.truncate(size)
    with pytest.raises(DiskFault) as raised:
        bodies.open(filed)
    assert raised.value.why is DiskFailure.DAMAGED


def test_a_file_truncated_while_it_is_read_ends_in_a_fault(bodies: Bodies) -> None:
    filed = bodies.write(BODY)
    found: list[str] = []
    with bodies.open(filed, damaged=lambda: found.append("damaged")) as body:
        assert body.read_block(0) == BODY[:BLOCK_BYTES]
        with bodies.path().open("r+b") as file:
            file.truncate(FILE_HEADER_BYTES + BLOCK_BYTES + 5)
        with pytest.raises(DiskFault):
            body.read_block(1)
    assert found == ["damaged"]


def test_another_generation_in_its_place_is_refused(bodies: Bodies) -> None:
    filed = bodies.write(BODY)
    bodies.write(BODY, OTHER)
    bodies.path(OTHER).rename(bodies.path())
    with pytest.raises(DiskFault) as raised:
        bodies.open(filed)
    assert raised.value.why is DiskFailure.DAMAGED


def test_two_blocks_that_changed_places_are_refused(bodies: Bodies) -> None:
    filed = bodies.write(BODY)
    one, two = BODY[:BLOCK_BYTES], BODY[BLOCK_BYTES : 2 * BLOCK_BYTES]
    with bodies.path().open("r+b") as file:
        file.seek(FILE_HEADER_BYTES)
        file.write(two + one)
    with bodies.open(filed, damaged=lambda: None) as body, pytest.raises(DiskFault):
        body.read_block(0)


def test_a_link_in_its_place_is_not_followed(bodies: Bodies, tmp_path: Path) -> None:
    filed = bodies.write(BODY)
    bodies.path().rename(tmp_path / "elsewhere")
    bodies.path().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskFault):
        bodies.open(filed)


def test_a_body_that_is_gone_is_told_from_a_damaged_one(bodies: Bodies) -> None:
    filed = bodies.write(BODY)
    bodies.path().unlink()
    with pytest.raises(FileNotFoundError):
        bodies.open(filed)


def test_a_closed_body_gives_nothing(bodies: Bodies) -> None:
    body = bodies.open(bodies.write(BODY))
    body.read_block(0)
    body.close()
    body.close()
    with pytest.raises(DiskFault) as raised:
        body.read_block(0)
    assert raised.value.why is DiskFailure.NOT_OPEN


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        file_name(KEY, GENERATION),
        KEY.hex(),
        f"{KEY.hex()}-{GENERATION.hex()}.val",
        f"{KEY.hex()}-{GENERATION.hex()[:-1]}",
        f"{KEY.hex().upper()}-{GENERATION.hex()}",
        f"{KEY.hex()}-{GENERATION.hex()}\n",
    ],
)
def test_a_name_that_is_not_ours_is_not_parsed(name: str) -> None:
    assert parse_name(name) is None


def test_a_name_of_ours_says_whose_it_is() -> None:
    name = Path(file_name(KEY, GENERATION)).name
    assert parse_name(name) == (KEY, GENERATION, False)
    assert parse_name(name + PART) == (KEY, GENERATION, True)
