"""What a worker could not be told, kept in a file for its successor.

Owns: `note`, `take`, and the form of a line. A worker that is away has lost its memory, but its successor would serve again
what is on its disk, of which an unsafe request had said meanwhile that it holds no more (RFC 9111 s4.4, RFC 9875 s3). Rules:
who could not tell writes it down and tries once more: a successor that could not be reached then has not read the file yet,
since it can be reached before it reads. So many bytes and no more; what does not fit is lost. The file lives as long as the
node: when that ends, nobody is left who could change anything. All of it blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.semantics.purge_order import BadMessage, PurgeOrder, decode, encode

MAX_BYTES = 4 << 20
"""Some 60,000 keys, in the second or two that a worker is away."""


@dataclass(frozen=True, slots=True)
class Missed:
    """keys: to be forgotten. orders: of groups, where there is no purge log."""

    keys: tuple[bytes, ...] = ()
    orders: tuple[PurgeOrder, ...] = ()


def missed_by(run_dir: Path, index: int) -> Path:
    """The file of a worker."""
    return run_dir / f"missed-{index}"


def note(file: Path, missed: Missed) -> bool:
    """Write it down; whether it fitted. OSError."""
    lines = [b"key %b" % key.hex().encode() for key in missed.keys]
    lines += [b"order %b" % encode(order) for order in missed.orders]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0) as opened:
        if os.fstat(opened.fileno()).st_size >= MAX_BYTES:
            return False
        opened.write(b"".join(line + b"\n" for line in lines))
    return True


def take(file: Path) -> Missed:
    """All of it, once. A line that was cut by a crash is left out, since who wrote it had told nobody that it is done."""
    taken = file.with_suffix(".taken")
    try:
        file.replace(taken)
        return _read(taken.read_bytes().splitlines())
    except OSError:
        return Missed()
    finally:
        taken.unlink(missing_ok=True)


def _read(lines: Iterable[bytes]) -> Missed:
    keys: list[bytes] = []
    orders: list[PurgeOrder] = []
    for line in lines:
        kind, _, said = line.partition(b" ")
        try:
            if kind == b"key":
                keys.append(bytes.fromhex(said.decode("ascii")))
            elif isinstance(order := decode(said), PurgeOrder):
                orders.append(order)
        except (ValueError, BadMessage):
            continue
    return Missed(tuple(keys), tuple(orders))
