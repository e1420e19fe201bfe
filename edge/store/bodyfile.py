"""Bodies that are too large for a row: the format of their files, writing one, reading one block by block.

Owns: the file format, the names of the files, `FileWriter`. Reading: bodyreading.py.

    header (128)   magic, version, block size, body length, generation, row key; digest of these; zeros
    body           blocks of 256 KB, the last one shorter
    table          one BLAKE2b-128 a block, salted with the generation and the block's number

Rules. A file is written under a name that ends in `.part`, its header last, then renamed: what has the final name was
finished. The final name consists of the row key and the generation in the record, so a new body of the
same key never has the name of the old one: readers of the old go on with their descriptor, and its name is unlinked.
The record holds a digest of header and table, the table one of each block: a range of a 1 GB object is verified by
reading the blocks it touches. Files are reached by name only once; after that by `pread` on the descriptor.
All of this blocks: only the store's own threads call it.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.store.disk_faults import fault_of
from edge.store.openfiles import OpenFiles
from edge.store.record import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    FILE_HEADER_BYTES,
    GENERATION_BYTES,
    KEY_BYTES,
    FiledBody,
)

MAGIC: Final = b"PgBd"
VERSION: Final = 1
_HEADER: Final = struct.Struct(">4sBxxxIQ8s48s")
PART: Final = ".part"
_NAME: Final = re.compile(
    rf"([0-9a-f]{{{2 * KEY_BYTES}}})-([0-9a-f]{{{2 * GENERATION_BYTES}}})({re.escape(PART)})?"
)


def file_name(key: bytes, generation: bytes) -> str:
    """Where the body lies, relative to the bodies' directory; 256 sub-directories keep each of them short."""
    return f"{key[0]:02x}/{key.hex()}-{generation.hex()}"


def parse_name(name: str) -> tuple[bytes, bytes, bool] | None:
    """Row key, generation, and whether it is a part, of a file's own name; None for a name that is not ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return bytes.fromhex(match[1]), bytes.fromhex(match[2]), match[3] is not None


def header_of(key: bytes, generation: bytes, length: int) -> bytes:
    """The header of the file with that body."""
    head = _HEADER.pack(MAGIC, VERSION, BLOCK_BYTES, length, generation, key)
    digest = hashlib.blake2b(head, digest_size=DIGEST_BYTES).digest()
    return (head + digest).ljust(FILE_HEADER_BYTES, b"\0")


def table_digest(header: bytes, table: bytes) -> bytes:
    """What the record holds."""
    return hashlib.blake2b(header + table, digest_size=DIGEST_BYTES).digest()


def block_hash(generation: bytes, number: int) -> hashlib.blake2b:
    """The hash of block `number`, still to be fed."""
    # Salted and numbered, so that a block of another file or from another place does not verify.
    return hashlib.blake2b(digest_size=DIGEST_BYTES, salt=generation, person=number.to_bytes(8, "big"))


def _write_all(descriptor: int, data: memoryview, offset: int) -> None:
    # A full disk shows first as a short write, and as an error only when one goes on.
    while data:
        written = os.pwrite(descriptor, data, offset)
        offset += written
        data = data[written:]


def read_all(descriptor: int, length: int, offset: int) -> bytes:
    """Up to `length` bytes; fewer only at the end of the file."""
    data = os.pread(descriptor, length, offset)
    while len(data) < length:
        more = os.pread(descriptor, length - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


class FileWriter:
    """One body on its way into its file. Anything that is raised has removed the part.

    expected: the length of the body, None when it is not known. reserve: called with the bytes of a block before they
    are written, so that room is made little by little; what it raises ends the writing. durable: fsync before the
    rename, and the directory after it.
    """

    __slots__ = (
        "_descriptor",
        "_durable",
        "_expected",
        "_files",
        "_generation",
        "_hash",
        "_key",
        "_path",
        "_reserve",
        "_table",
        "length",
    )

    def __init__(
        self,
        bodies: Path,
        key: bytes,
        generation: bytes,
        *,
        expected: int | None,
        reserve: Callable[[int], None],
        durable: bool,
        files: OpenFiles,
    ) -> None:
        self._descriptor = -1
        self._path = bodies / file_name(key, generation)
        self._key, self._generation = key, generation
        self._expected, self._reserve, self._durable = expected, reserve, durable
        self._files = files
        self._table: list[bytes] = []
        self._hash = block_hash(generation, 0)
        self.length = 0
        reserve(FILE_HEADER_BYTES)
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = files.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        except OSError as error:
            raise fault_of(error, "opening a body file") from None

    @property
    def _part(self) -> str:
        return f"{self._path}{PART}"

    def write(self, chunk: bytes | memoryview) -> None:
        """Append to the body. Raises DiskFault, after which the writer is of no more use."""
        view = memoryview(chunk)
        try:
            while view:
                room = BLOCK_BYTES - self.length % BLOCK_BYTES
                if room == BLOCK_BYTES:
                    self._begin_block()
                piece, view = view[:room], view[room:]
                _write_all(self._descriptor, piece, FILE_HEADER_BYTES + self.length)
                self._hash.update(piece)
                self.length += len(piece)
                if len(piece) == room:
                    self._end_block()
        except OSError as error:
            self.discard()
            raise fault_of(error, "writing a body file") from None
        except BaseException:
            self.discard()
            raise

    def _begin_block(self) -> None:
        # Per block and not per chunk: it may cost a transaction.
        left = BLOCK_BYTES if self._expected is None else self._expected - self.length
        self._reserve(min(left, BLOCK_BYTES) + DIGEST_BYTES)

    def _end_block(self) -> None:
        self._table.append(self._hash.digest())
        self._hash = block_hash(self._generation, len(self._table))

    def open_for_reading(self) -> int:
        """A descriptor for `read_back`, good until its owner closes it, whatever becomes of the file. Raises DiskFault."""
        try:
            return self._files.open(self._part, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise fault_of(error, "reading back a body file") from None

    def seal(self) -> FiledBody:
        """The body is complete: give the file its header, its table and its name. Raises DiskFault."""
        try:
            if self.length % BLOCK_BYTES:
                self._end_block()
            header, table = header_of(self._key, self._generation, self.length), b"".join(self._table)
            _write_all(self._descriptor, memoryview(table), FILE_HEADER_BYTES + self.length)
            _write_all(self._descriptor, memoryview(header), 0)
            if self._durable:
                os.fsync(self._descriptor)
            os.rename(self._part, self._path)  # noqa: PTH104 - the rest of the pair is a descriptor
        except OSError as error:
            self.discard()
            raise fault_of(error, "finishing a body file") from None
        except BaseException:
            self.discard()
            raise
        self._close()
        if self._durable:
            _sync_directory(self._path.parent)
        return FiledBody(self.length, table_digest(header, table))

    def discard(self) -> None:
        """Leave nothing behind, whether sealed or not. Never raises."""
        self._close()
        for path in (self._part, self._path):
            unlink(Path(path))

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def read_back(descriptor: int, offset: int, length: int) -> bytes:
    """Body bytes that a FileWriter of this process has written, unverified. Raises DiskFault when they are not there."""
    try:
        data = read_all(descriptor, length, FILE_HEADER_BYTES + offset)
    except OSError as error:
        raise fault_of(error, "reading back a body file") from None
    return data


def unlink(path: Path) -> None:
    """Remove a file of ours if it is there. Never raises: one that cannot be removed is an orphan, swept at a start."""
    try:
        path.unlink()
    except OSError:
        return


def _sync_directory(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise fault_of(error, "syncing a directory") from None
