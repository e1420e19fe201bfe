"""Blocks verified once: what is believed afterwards, until when, and what goes into a socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store.bodyfile import FileWriter, file_name
from edge.store.bodyreading import BodyFile, CannotSend, open_body
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.openfiles import OpenFiles
from edge.store.record import BLOCK_BYTES, FILE_HEADER_BYTES
from edge.store.verified import BELIEVED_SECONDS, Verified, stamp_of
from tests.kit.clock import ManualClock
from tests.kit.disk import body_of, flip

KEY, GENERATION = bytes(range(48)), b"\x01" * 8
LENGTH = 3 * BLOCK_BYTES + 1000
BODY = body_of(1, 1, LENGTH)


class Shelf:
    """One body in its file, and its readers. damaged: how often one found it so."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.files = OpenFiles(idle=4, most=16, mono=self.clock.mono)
        self.damaged = 0
        self.path = directory / file_name(KEY, GENERATION)
        writer = FileWriter(
            directory,
            KEY,
            GENERATION,
            expected=LENGTH,
            reserve=lambda _: None,
            durable=False,
            files=self.files,
        )
        writer.write(BODY)
        self._filed = writer.seal()
        self._directory = directory

    def open(self) -> BodyFile:
        return open_body(
            self._directory, KEY, GENERATION, self._filed, files=self.files, damaged=self._find_damage
        )

    def _find_damage(self) -> None:
        self.damaged += 1

    def plant(self, block: int, *, unseen: bool = False) -> None:
        """Damage a block. unseen: so that no time of change shows it (a medium that decays)."""
        status = self.path.stat()
        flip(self.path, FILE_HEADER_BYTES + block * BLOCK_BYTES + 5)
        shift = 0 if unseen else 1
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns + shift))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def pipe() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection; the first does not wait."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def sent(body: BodyFile, pipe: tuple[socket.socket, socket.socket], offset: int, length: int) -> bytes:
    """What the other end gets of these bytes, sent as often as it takes."""
    ours, theirs = pipe
    got = bytearray()
    while length > len(got):
        count = body.send(ours.fileno(), offset + len(got), length - len(got))
        assert count > 0
        while count:
            piece = theirs.recv(count)
            count -= len(piece)
            got += piece
    return bytes(got)


@pytest.mark.parametrize(
    "offset,length",
    [(0, 1), (0, BLOCK_BYTES), (BLOCK_BYTES - 1, 2), (5, LENGTH - 5), (LENGTH - 1, 1), (0, LENGTH)],
)
def test_what_is_sent_is_the_range_and_nothing_else(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket], offset: int, length: int
) -> None:
    with shelf.open() as body:
        assert sent(body, pipe, offset, length) == BODY[offset : offset + length]


def test_what_was_verified_is_at_hand_for_every_reader(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket]
) -> None:
    with shelf.open() as one, shelf.open() as two:
        assert not one.is_at_hand(0, 10)
        sent(one, pipe, 0, 10)
        assert two.is_at_hand(0, BLOCK_BYTES)
        assert not two.is_at_hand(0, BLOCK_BYTES + 1)
        two.read_block(1)
        assert one.is_at_hand(0, 2 * BLOCK_BYTES)


def test_damage_in_a_block_that_was_not_verified_is_found_before_a_byte_leaves(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pipe
    with shelf.open() as body:
        sent(body, pipe, 0, BLOCK_BYTES)
        shelf.plant(1)
        with pytest.raises(DiskFault) as raised:
            body.send(ours.fileno(), BLOCK_BYTES, 100)
        assert raised.value.why is DiskFailure.DAMAGED
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
    assert shelf.damaged == 1


@pytest.mark.parametrize("how", ["sent", "read"])
def test_damage_in_a_verified_block_is_found_by_the_time_of_change(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket], how: str
) -> None:
    with shelf.open() as body:
        sent(body, pipe, 0, LENGTH)
        shelf.plant(1)
        assert not body.is_at_hand(0, 10)
        with pytest.raises(DiskFault):
            body.send(pipe[0].fileno(), BLOCK_BYTES, 10) if how == "sent" else body.pread(BLOCK_BYTES, 10)
    assert shelf.damaged == 1


def test_what_no_time_shows_is_found_when_belief_ends(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket]
) -> None:
    with shelf.open() as body:
        sent(body, pipe, 0, LENGTH)
        shelf.clock.advance(BELIEVED_SECONDS - 1)
        assert body.is_at_hand(0, LENGTH)
        shelf.clock.advance(1)
        assert not body.is_at_hand(0, LENGTH)
        shelf.plant(2, unseen=True)
        assert sent(body, pipe, 0, 2 * BLOCK_BYTES) == BODY[: 2 * BLOCK_BYTES]
        with pytest.raises(DiskFault):
            body.send(pipe[0].fileno(), 2 * BLOCK_BYTES, 10)
    assert shelf.damaged == 1


def test_a_file_that_was_cut_is_damaged_where_it_ends(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket]
) -> None:
    with shelf.open() as body:
        sent(body, pipe, 0, LENGTH)
        os.truncate(shelf.path, FILE_HEADER_BYTES + BLOCK_BYTES + 100)
        assert sent(body, pipe, 0, BLOCK_BYTES) == BODY[:BLOCK_BYTES]
        with pytest.raises(DiskFault):
            body.send(pipe[0].fileno(), BLOCK_BYTES, 10)


def test_a_file_that_is_cut_after_it_was_looked_at_is_damaged_too(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket]
) -> None:
    """Between the look and the sending there is a moment, in which whoever rewrites a file has just emptied it."""
    with shelf.open() as body:
        os.truncate(shelf.path, FILE_HEADER_BYTES)
        opened = body._opened()
        opened.verified = looked_at = Verified(stamp_of(opened.descriptor), float("inf"), body.blocks)
        for number in range(body.blocks):
            looked_at.add(number)
        with pytest.raises(DiskFault) as raised:
            body.send(pipe[0].fileno(), 0, 10)
        assert raised.value.why is DiskFailure.DAMAGED
    assert shelf.damaged == 1


def test_a_body_that_was_deleted_is_sent_to_its_end(
    shelf: Shelf, pipe: tuple[socket.socket, socket.socket]
) -> None:
    with shelf.open() as body:
        sent(body, pipe, 0, 10)
        shelf.path.unlink()
        assert sent(body, pipe, 0, LENGTH) == BODY


def test_a_full_socket_and_a_gone_one_say_so(shelf: Shelf, pipe: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pipe
    with shelf.open() as body:
        with pytest.raises(BlockingIOError):
            for _ in range(1000):
                body.send(ours.fileno(), 0, LENGTH)
        theirs.close()
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                body.send(ours.fileno(), 0, LENGTH)
    assert shelf.damaged == 0


def test_what_takes_no_files_says_so(shelf: Shelf) -> None:
    opened = os.open(shelf.path, os.O_RDWR | os.O_APPEND)
    try:
        with shelf.open() as body, pytest.raises(CannotSend):
            body.send(opened, 0, 10)
    finally:
        os.close(opened)


def test_a_closed_body_sends_nothing(shelf: Shelf, pipe: tuple[socket.socket, socket.socket]) -> None:
    body = shelf.open()
    body.close()
    with pytest.raises(DiskFault) as raised:
        body.send(pipe[0].fileno(), 0, 10)
    assert raised.value.why is DiskFailure.NOT_OPEN
