"""The record in a row of the disk tier: what SQLite keeps for one stored response. PURE.

Owns: the binary format of a row's value, its encoding, and the check that what came back is what was written; `DiskRow` and
`SmallPut`, what is read and written of rows.

    head (44)      magic, version, kind, meta length, body length, generation, digest of the body file's table
    digest (16)    BLAKE2b-128 over row key, head, meta and inline body
    meta           opaque to this tier (the serialised response head)
    body           when it is inline; otherwise it is a file, see bodyfile.py

Rules. Nothing of a record is believed before its digest is checked, and the row key is part of what is digested: a
record that was moved to another row does not verify. The generation, new with each body, is the one part of a file's
name that does not follow from the key; so no name is ever read from a column. BLAKE2b and not CRC-32: a checksum of 32
bits lets one damaged record in 4e9 pass, and 8 KB cost 9 us against 2 us, less than reading them from SQLite costs.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from edge.store.disk_faults import DiskFailure, DiskFault

PRIMARY_BYTES: Final = 32
VARIANT_BYTES: Final = 16
KEY_BYTES: Final = PRIMARY_BYTES + VARIANT_BYTES
GENERATION_BYTES: Final = 8
DIGEST_BYTES: Final = 16

MAGIC: Final = b"PgRw"
VERSION: Final = 1
_INLINE: Final = 0
_FILE: Final = 1
_HEAD: Final = struct.Struct(">4sBBxxIQ8s16s")
BLOCK_BYTES: Final = 256 * 1024
"""What of a body file is digested as one: the most that is read before its first byte can be believed. Smaller blocks
make the table longer (64 KB for 1 GB), larger ones make a short range dearer."""

FILE_HEADER_BYTES: Final = 128

OVERHEAD_BYTES: Final = _HEAD.size + DIGEST_BYTES
"""What a record adds to its meta and inline body."""

PAGE_BYTES: Final = 4096
"""SQLite's page, and what a file system gives out at a time."""

_COLUMNS_BYTES: Final = 120
"""What a row of the table holds besides its value: the key, three times, and the head of the cell."""

_INDEXES_BYTES: Final = 128
"""The row's places in the indexes over key and expire_time, with their pages two thirds full."""

# SQLite's file format, section 1.6: a cell up to _LOCAL_MOST lies in its leaf, of a larger one so much that the rest fills
# overflow pages, or _LOCAL_LEAST.
_LOCAL_MOST: Final = PAGE_BYTES - 35
_LOCAL_LEAST: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_OVERFLOW: Final = PAGE_BYTES - 4


@dataclass(frozen=True, slots=True)
class InlineBody:
    """A body that lies in the row."""

    body: bytes


@dataclass(frozen=True, slots=True)
class FiledBody:
    """A body that lies in a file. length: of the body, bytes. table_digest: what its table of digests must have."""

    length: int
    table_digest: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What one row says. generation: of the body, 8 bytes, kept when only `meta` is replaced."""

    generation: bytes
    meta: bytes
    body: InlineBody | FiledBody


def _digest(key: bytes, head: bytes, rest: bytes) -> bytes:
    # All three are of known length (the head says the rest's), so that joining them is unambiguous.
    digest = hashlib.blake2b(key, digest_size=DIGEST_BYTES)
    digest.update(head)
    digest.update(rest)
    return digest.digest()


def encode(key: bytes, record: Record) -> bytes:
    """The value of the row `key`."""
    assert len(key) == KEY_BYTES, len(key)
    assert len(record.generation) == GENERATION_BYTES, record.generation
    body = record.body
    if isinstance(body, InlineBody):
        kind, length, table_digest, rest = (
            _INLINE,
            len(body.body),
            bytes(DIGEST_BYTES),
            record.meta + body.body,
        )
    else:
        kind, length, table_digest, rest = _FILE, body.length, body.table_digest, record.meta
    head = _HEAD.pack(MAGIC, VERSION, kind, len(record.meta), length, record.generation, table_digest)
    return b"".join((head, _digest(key, head, rest), rest))


def decode(key: bytes, value: bytes) -> Record:
    """What the row `key` says. Raises DiskFault(DAMAGED) for anything that `encode` did not write for this key."""
    if len(value) < OVERHEAD_BYTES:
        raise DiskFault(DiskFailure.DAMAGED, f"a record of {len(value)} bytes")
    head = value[: _HEAD.size]
    magic, version, kind, meta_length, body_length, generation, table_digest = _HEAD.unpack(head)
    if magic != MAGIC or version != VERSION:
        raise DiskFault(DiskFailure.DAMAGED, f"a record that begins with {value[:5]!r}")
    rest = value[OVERHEAD_BYTES:]
    if len(rest) != meta_length + (body_length if kind == _INLINE else 0):
        raise DiskFault(DiskFailure.DAMAGED, "a record whose lengths do not add up")
    if _digest(key, head, rest) != value[_HEAD.size : OVERHEAD_BYTES]:
        raise DiskFault(DiskFailure.DAMAGED, "a record whose digest differs")
    if kind == _INLINE:
        return Record(generation, rest[:meta_length], InlineBody(rest[meta_length:]))
    return Record(generation, rest, FiledBody(body_length, table_digest))


def digest_of(value: bytes) -> bytes:
    """The digest in a row's value, which tells it from all others of its row; not checked."""
    return value[_HEAD.size : OVERHEAD_BYTES]


def block_count(length: int) -> int:
    """How many blocks a body of `length` bytes has."""
    return -(-length // BLOCK_BYTES)


def file_bytes(length: int) -> int:
    """The size of the file of a body of `length` bytes: header, blocks, table."""
    return FILE_HEADER_BYTES + length + DIGEST_BYTES * block_count(length)


def filed_bytes(length: int) -> int:
    """What the file of a body of `length` bytes occupies."""
    return -(-file_bytes(length) // PAGE_BYTES) * PAGE_BYTES


def row_bytes(length: int) -> int:
    """What a row with a value of `length` bytes occupies in the database.

    By pages and not by bytes, for the difference is large: of 2,500 bytes only one row goes into a page.
    """
    payload = length + _COLUMNS_BYTES
    local, overflow = payload, 0
    if payload > _LOCAL_MOST:
        local = _LOCAL_LEAST + (payload - _LOCAL_LEAST) % _OVERFLOW
        if local > _LOCAL_MOST:
            local = _LOCAL_LEAST
        overflow = -(-(payload - local) // _OVERFLOW)
    rows_a_page = max(1, PAGE_BYTES // local)
    return PAGE_BYTES // rows_a_page + overflow * PAGE_BYTES + _INDEXES_BYTES


def accounted_bytes(value: bytes) -> int:
    """What the row with this value, as `encode` made it, and its file are charged to the ceiling."""
    _, _, kind, _, body_length, _, _ = _HEAD.unpack_from(value)
    return row_bytes(len(value)) + (filed_bytes(body_length) if kind == _FILE else 0)


@dataclass(frozen=True, slots=True)
class DiskRow:
    """One stored response without its body. digest: changes with anything in it. size: accounted bytes, its file too."""

    primary: bytes
    variant: bytes
    meta: bytes
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class SmallPut:
    """One of several small responses to be written at once."""

    primary: bytes
    variant: bytes
    meta: bytes
    body: bytes
