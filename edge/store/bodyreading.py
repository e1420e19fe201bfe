"""Bodies in files as they are read and sent: block by block, each verified before its first byte leaves.

Owns: `open_body`, `BodyFile`. Rules: header and table are verified when a file is opened, a block when it is first asked
for; that it was is remembered beside the open file for all its readers, as long as the file does not change (verified.py).
Files are reached by name only once; after that by their descriptor. All of this blocks: only the store's own threads call
it, but for `is_at_hand`, and `send` where that said yes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge.store.bodyfile import block_hash, file_name, header_of, read_all, table_digest
from edge.store.disk_faults import DiskFailure, DiskFault, fault_of
from edge.store.openfiles import OpenBody, OpenFiles
from edge.store.record import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    FILE_HEADER_BYTES,
    FiledBody,
    block_count,
    file_bytes,
)
from edge.store.verified import BELIEVED_SECONDS, Verified, is_resident, stamp_of

_CANNOT_SEND: Final = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))


def open_body(
    bodies: Path,
    key: bytes,
    generation: bytes,
    body: FiledBody,
    *,
    files: OpenFiles,
    damaged: Callable[[], None],
) -> BodyFile:
    """The body that a verified record speaks of; header and table are verified here.

    damaged: called once when a block turns out not to be what was written. Raises FileNotFoundError when there is no
    such file (it may just have been replaced), DiskFault for the rest.
    """
    name = file_name(key, generation)

    def load(descriptor: int) -> bytes:
        if os.fstat(descriptor).st_size != file_bytes(body.length):
            raise DiskFault(DiskFailure.DAMAGED, "a body file of another length than its record says")
        header = read_all(descriptor, FILE_HEADER_BYTES, 0)
        table_bytes = DIGEST_BYTES * block_count(body.length)
        table = read_all(descriptor, table_bytes, FILE_HEADER_BYTES + body.length)
        if (
            header != header_of(key, generation, body.length)
            or table_digest(header, table) != body.table_digest
        ):
            raise DiskFault(
                DiskFailure.DAMAGED, "a body file whose header or table is not what its record says"
            )
        return table

    return BodyFile(
        files.lease(name, bodies / name, load), generation, body.length, files=files, damaged=damaged
    )


class CannotSend(Exception):
    """A file of this file system does not go into a socket without being read; `pread` does."""


class BodyFile:
    """A verified view of one body, for one reader. Holds a descriptor until `close`, so a replaced body stays readable.

    length: bytes. `read_block`, `pread` and `send` give only bytes of blocks that were verified, now or before
    (verified.py); they raise DiskFault when a block is not what was written, when the device fails, and after `close`.
    """

    __slots__ = ("_damaged", "_files", "_generation", "_last", "_open", "length")

    def __init__(
        self,
        opened: OpenBody,
        generation: bytes,
        length: int,
        *,
        files: OpenFiles,
        damaged: Callable[[], None],
    ) -> None:
        self._open: OpenBody | None = opened
        self._generation = generation
        self._files = files
        self._damaged = damaged
        self._last: tuple[int, bytes] = (-1, b"")
        self.length = length

    @property
    def blocks(self) -> int:
        """How many blocks there are; all of BLOCK_BYTES but the last."""
        return block_count(self.length)

    def read_block(self, number: int) -> bytes:
        """Block `number`, from 0. IndexError beyond the last."""
        if not 0 <= number < self.blocks:
            raise IndexError(number)
        last_number, last = self._last
        if last_number == number:
            return last
        block = self._checked(number, self._verified())
        self._last = (number, block)  # a reader that takes less than a block at a time reads each block once
        return block

    def _verified(self) -> Verified:
        """What is known of the file as it is now."""
        opened = self._opened()
        now = self._files.mono()
        try:
            stamp = stamp_of(opened.descriptor)
        except OSError as error:
            raise fault_of(error, "looking at a body file") from None
        known = opened.verified
        if known is None or known.stamp != stamp or now >= known.until:
            known = opened.verified = Verified(stamp, now + BELIEVED_SECONDS, self.blocks)
        return known

    def _opened(self) -> OpenBody:
        if self._open is None:
            raise DiskFault(DiskFailure.NOT_OPEN, "a body file that was closed")
        return self._open

    def _checked(self, number: int, known: Verified) -> bytes:
        """Block `number`, hashed unless that was done before."""
        opened = self._opened()
        start = number * BLOCK_BYTES
        length = min(BLOCK_BYTES, self.length - start)
        try:
            block = read_all(opened.descriptor, length, FILE_HEADER_BYTES + start)
        except OSError as error:
            raise fault_of(error, "reading a body file") from None
        if len(block) != length or (number not in known and not self._is_right(opened, number, block)):
            self._damaged()
            raise DiskFault(DiskFailure.DAMAGED, f"block {number} of a body file")
        known.add(number)
        return block

    def _is_right(self, opened: OpenBody, number: int, block: bytes) -> bool:
        digest = block_hash(self._generation, number)
        digest.update(block)
        return digest.digest() == opened.table[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]

    def is_at_hand(self, offset: int, length: int) -> bool:
        """Whether `send` of these bytes has nothing to verify, and probably no device to wait for."""
        first, stop = offset // BLOCK_BYTES, block_count(offset + length)
        return self._verified().covers(first, stop) and is_resident(
            self._opened().descriptor, FILE_HEADER_BYTES + offset, FILE_HEADER_BYTES + offset + length
        )

    def send(self, out: int, offset: int, length: int) -> int:
        """Put up to `length` bytes from `offset` of the body into the socket `out`; verified first, not copied.

        How many there were, at least one, less where the socket took no more or the file was cut short. Raises what the
        socket does (BlockingIOError: it takes none now), CannotSend where files do not go into sockets, and DiskFault.
        """
        known = self._verified()
        for number in range(offset // BLOCK_BYTES, block_count(offset + length)):
            if number not in known:
                self._checked(number, known)
        try:
            sent = os.sendfile(out, self._opened().descriptor, FILE_HEADER_BYTES + offset, length)
        except OSError as error:
            if error.errno in _CANNOT_SEND:
                raise CannotSend from None
            if error.errno == errno.EIO:
                raise fault_of(error, "sending a body file") from None
            raise
        if not sent:  # it was cut since it was looked at
            self._damaged()
            raise DiskFault(DiskFailure.DAMAGED, "a body file that ends early")
        return sent

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` of the body, fewer at its end. Reads and verifies whole blocks."""
        end = min(offset + length, self.length)
        pieces = []
        while offset < end:
            number, within = divmod(offset, BLOCK_BYTES)
            piece = self.read_block(number)[within : within + end - offset]
            pieces.append(piece)
            offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Give the descriptor back. May be called again."""
        opened, self._open = self._open, None
        self._last = (-1, b"")
        if opened is not None:
            self._files.release(opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A reader that was cancelled must not cost a descriptor for good.
        if getattr(self, "_open", None) is not None:
            self.close()
