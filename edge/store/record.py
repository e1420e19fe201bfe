"""The record in a row of the disk tier: what SQLite keeps for one stored response. PURE.

Owns: the binary format of a row's value, its encoding, and the check that what came back is what was written.

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

ROW_BYTES: Final = 512
"""Charged to every row on top of its record: its key in the table and in an index, its other columns, what stays free in
SQLite's pages. Measured: 310 bytes a row with bodies of 8 KB, 820 with 1 KB."""


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


def block_count(length: int) -> int:
    """How many blocks a body of `length` bytes has."""
    return -(-length // BLOCK_BYTES)


def file_bytes(length: int) -> int:
    """The size of the file of a body of `length` bytes: header, blocks, table."""
    return FILE_HEADER_BYTES + length + DIGEST_BYTES * block_count(length)


def accounted_bytes(value: bytes) -> int:
    """What the row with this value, as `encode` made it, and its file are charged to the ceiling."""
    _, _, kind, _, body_length, _, _ = _HEAD.unpack_from(value)
    return ROW_BYTES + len(value) + (file_bytes(body_length) if kind == _FILE else 0)
