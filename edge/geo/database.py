"""Opening a MaxMind DB file so that nothing which happens to the file afterwards matters.

Owns: `open_database` and `Database`. Rules: what is opened is a copy in the data folder that is named after its content and
never written again. A file that is mapped and then cut short by who replaces it in place ends the process with SIGBUS, at the
next look-up and without a word; the copy cannot be. It is made once, whoever asks (the workers share its pages). A file is
looked at before it is used: its metadata, the size its tree needs, its first networks, and addresses all over the space; all
by look-ups, since iterating over a damaged tree with maxminddb 3.2 writes beyond its buffer and ends the process (1 of 400
damaged files). It blocks: on a running loop it belongs into a thread. MaxMind DB 2.0.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import IO, BinaryIO

import maxminddb
from maxminddb.const import MODE_MMAP_EXT

from edge.errors import ConfigFault
from edge.geo.atlas import DAMAGE, Source
from edge.geo.places import Point
from edge.geo.records import read_record
from edge.settings.reload import stamp_of

BLOCK = 1024 * 1024
PROBED_NETWORKS = 2_000
PROBED_ADDRESSES = 2_048
"""Of each family; with the networks some 10 ms."""

_GIVEN_OUT = 1 << 125
"""2000::, the first address of what is given out in IPv6."""

_SEPARATOR = 16
"""Bytes between the tree and the data."""

UNFINISHED = "unfinished-"
UNFINISHED_SECONDS = 600
"""A copy that nobody has written to for so long was left by a process that was killed: a gibibyte takes seconds."""


class BadDatabase(ConfigFault):
    """A database that cannot be used; detail says which and why."""


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. file: as the operator names it. copy: what is open. built: unix seconds, as its maker says."""

    source: Source
    file: Path
    copy: Path
    type: str
    built: int
    networks: str
    """`IPv4`, or `IPv4 and IPv6`."""


def open_database(file: Path, folder: Path, *, max_bytes: int) -> Database:
    """A database, from a copy in `folder`, which is made where it is missing. BadDatabase."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copy = _copied(file, folder, max_bytes)
    except OSError as error:
        raise BadDatabase(f"{file}: it cannot be read or copied: {error.strerror or error}") from None
    try:
        return _opened(file, copy)
    except BadDatabase:
        with suppress(OSError):
            copy.unlink()
        raise


def open_last_copy(file: Path, folder: Path) -> Database | None:
    """The newest copy of `file` that was good once and still is; None when there is none."""
    copies = [(stamp.mtime_ns, copy) for copy in _copies(file, folder) if (stamp := stamp_of(copy))]
    for _, copy in sorted(copies, reverse=True):
        with suppress(BadDatabase):
            return _opened(file, copy)
    return None


def forget_copies(database: Database) -> None:
    """Remove copies of the same file but the open one. Who has one open keeps it: the name goes, the content stays."""
    for copy in _copies(database.file, database.copy.parent):
        if copy != database.copy:
            with suppress(OSError):
                copy.unlink()


def _stem(file: Path) -> str:
    """Two files of one name in two folders have two."""
    where = zlib.crc32(os.fsencode(file.absolute()))
    return f"{''.join(c if c.isalnum() or c in '-_' else '_' for c in file.stem[:64])}-{where:08x}"


def _copies(file: Path, folder: Path) -> list[Path]:
    return list(folder.glob(f"{_stem(file)}-*.mmdb"))


def _copied(file: Path, folder: Path, max_bytes: int) -> Path:
    before = stamp_of(file)
    if before is None or not file.is_file():
        raise BadDatabase(f"{file}: there is no such file; `perigee geo fetch` gets a free one")
    if before.size > max_bytes:
        raise BadDatabase(f"{file}: {before.size} bytes are more than geo.max_database allows ({max_bytes})")
    with (
        file.open("rb") as opened,
        tempfile.NamedTemporaryFile(dir=folder, prefix=UNFINISHED, delete=False) as made,
    ):
        temporary = Path(made.name)
        try:
            _forget_unfinished(folder, os.fstat(made.fileno()).st_mtime)
            digest = _pass_on(opened, made, max_bytes)
            if stamp_of(file) != before:
                raise BadDatabase(f"{file}: it was written while it was read; it is read again later")
            os.fchmod(made.fileno(), 0o444)
            copy = folder / f"{_stem(file)}-{digest}.mmdb"
            if copy.exists() and _digest(copy) == digest:
                temporary.unlink()
            else:
                temporary.replace(copy)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return copy


def _forget_unfinished(folder: Path, now: float) -> None:
    """now: the file system's, in unix seconds."""
    for left in folder.glob(f"{UNFINISHED}*"):
        with suppress(OSError):  # another process is as fast
            if left.stat().st_mtime < now - UNFINISHED_SECONDS:
                left.unlink()


def _pass_on(opened: BinaryIO, made: IO[bytes], max_bytes: int) -> str:
    """Copy; the digest of what was copied."""
    digest, size = hashlib.sha256(), 0
    while block := opened.read(BLOCK):
        size += len(block)
        if size > max_bytes:  # it grows
            raise BadDatabase(f"it is larger than geo.max_database allows ({max_bytes} bytes)")
        digest.update(block)
        made.write(block)
    return digest.hexdigest()[:32]


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()[:32]


def _opened(file: Path, copy: Path) -> Database:
    if find_spec("maxminddb.extension") is None:  # in Python a look-up takes 13 times as long
        raise BadDatabase(f"{file}: maxminddb has no C extension here; install a wheel of it")
    try:
        reader = maxminddb.open_database(copy, MODE_MMAP_EXT)
    except DAMAGE as error:
        raise BadDatabase(f"{file}: it is no MaxMind DB file, or a part of one: {error}") from None
    return _examined(file, copy, reader)


def _examined(file: Path, copy: Path, reader: maxminddb.Reader) -> Database:
    try:
        told = reader.metadata()
        tree = told.node_count * told.record_size // 4
        if told.binary_format_major_version != 2 or told.ip_version not in {4, 6} or not told.node_count:
            raise BadDatabase(f"{file}: its metadata are not those of a MaxMind DB 2")
        if tree + _SEPARATOR > copy.stat().st_size:
            raise BadDatabase(f"{file}: its tree needs {tree} bytes, and the file is shorter")
        known = _is_known(reader, told.ip_version)
    except DAMAGE as error:
        raise BadDatabase(f"{file}: it is damaged: {error}") from None
    if not known:
        raise BadDatabase(
            f"{file}: it is a {told.database_type} database and has neither countries nor coordinates"
        )
    return Database(
        Source(reader, told.ip_version),
        file,
        copy,
        str(told.database_type),
        int(told.build_epoch),
        "IPv4" if told.ip_version == 4 else "IPv4 and IPv6",
    )


def _is_known(reader: maxminddb.Reader, ip_version: int) -> bool:
    """Whether a record among those looked at says where something is. A damaged part that is met raises."""
    known = False
    for address in _probes(ip_version):
        known |= read_record(reader.get(address)) != (None, None)
    starts: list[IPv4Address | IPv6Address] = [IPv4Address(0)]
    if ip_version == 6:
        starts.append(IPv6Address(_GIVEN_OUT))
    for at in starts:
        known |= any(place != (None, None) for place in _first_networks(reader, at))
    return known


def _first_networks(
    reader: maxminddb.Reader, at: IPv4Address | IPv6Address
) -> Iterator[tuple[str | None, Point | None]]:
    """What the first networks from an address on say, each once; what is empty is passed over at one step."""
    width, number = at.max_prefixlen, int(at)
    for _ in range(PROBED_NETWORKS):
        record, prefix = reader.get_with_prefix_len(str(type(at)(number)))
        yield read_record(record)
        number = (number | (1 << (width - min(prefix, width))) - 1) + 1
        if number >> width:
            return


def _probes(ip_version: int) -> list[str]:
    """Addresses all over the space: evenly in IPv4, and in IPv6 in what is given out."""
    step = 2**32 // PROBED_ADDRESSES
    found = [str(IPv4Address(index * step + 1)) for index in range(PROBED_ADDRESSES)]
    if ip_version == 6:
        wide = 2**125 // PROBED_ADDRESSES
        found += [str(IPv6Address(_GIVEN_OUT + index * wide + 1)) for index in range(PROBED_ADDRESSES)]
    return found
