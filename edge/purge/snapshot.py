"""The purge table on disk, so that a process that starts need not read the log from its beginning.

Owns: `Snapshot`, its file, and `SnapshotKeeper`, which the supervisor runs. Rules: the file is replaced as a whole or not
at all; its last line is a digest of all before it, and what does not agree is not used, loudly: then everything stored is
unknown, which costs a validation each, never a wrong answer. It is written in a thread, from a copy of the list of orders
that the loop takes in a millisecond, and as seldom as it takes for that to cost no more than a hundredth of a core.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final

from edge.clock import Clock
from edge.semantics.purge_order import MAX_BYTES, BadMessage, PurgeOrder, decode, encode
from edge.semantics.purge_table import Applied

VERSION: Final = 1
FILE: Final = "table.snapshot"
EVERY_SECONDS: Final = 30.0
PART_OF_A_CORE: Final = 100
MAX_LINE_BYTES: Final = MAX_BYTES + 64
_log = logging.getLogger("perigee.purge")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was known. created, history, stamp: as in edge.purge.reading. number: of the history.

    applied, floor: positions. orders: those kept, oldest first.
    """

    created: str
    history: str
    number: int
    applied: int
    floor: int
    stamp: str
    orders: Sequence[Applied]


def save(snapshot: Snapshot, folder: Path) -> None:
    """Replace the file. Blocks, for as long as the orders are many. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.part"
    digest = hashlib.blake2b(digest_size=16)
    with part.open("wb") as out:
        for line in _lines(snapshot):
            digest.update(line)
            out.write(line)
        out.write(digest.hexdigest().encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(folder / FILE)


def load(folder: Path) -> Snapshot | None:
    """What was saved; None = nothing was, or it is damaged. Blocks. OSError but for an absent file."""
    try:
        with (folder / FILE).open("rb") as file:
            return _read(file)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, BadMessage) as error:
        _log.error(
            "the snapshot of the purge table is damaged, and not used", extra={"why": str(error)[:200]}
        )
        return None


def _lines(snapshot: Snapshot) -> Iterator[bytes]:
    head = {
        "v": VERSION,
        "created": snapshot.created,
        "history": snapshot.history,
        "number": snapshot.number,
        "applied": snapshot.applied,
        "floor": snapshot.floor,
        "stamp": snapshot.stamp,
        "orders": len(snapshot.orders),
    }
    yield json.dumps(head).encode() + b"\n"
    for each in snapshot.orders:
        yield b"%d %b\n" % (each.position, encode(each.order))


def _read(file: BinaryIO) -> Snapshot:
    digest = hashlib.blake2b(digest_size=16)

    def line() -> bytes:
        got = file.readline(MAX_LINE_BYTES)
        digest.update(got)
        return got

    head: dict[str, Any] = json.loads(line())
    if head["v"] != VERSION:
        raise ValueError("of another version")
    orders: list[Applied] = []
    for _ in range(int(head["orders"])):
        position, _, data = line().partition(b" ")
        order = decode(data)
        if not isinstance(order, PurgeOrder):
            raise BadMessage("a message that is no order")
        orders.append(Applied(int(position), order))
    if file.read(1_000) != digest.hexdigest().encode() + b"\n":
        raise ValueError("its digest is another")
    return Snapshot(
        created=str(head["created"]),
        history=str(head["history"]),
        number=int(head["number"]),
        applied=int(head["applied"]),
        floor=int(head["floor"]),
        stamp=str(head["stamp"]),
        orders=orders,
    )


class SnapshotKeeper:
    """Saves now and then, and at the end. take: a snapshot now, None = there is nothing to save; on the loop, quickly."""

    def __init__(self, take: Callable[[], Snapshot | None], folder: Path, clock: Clock) -> None:
        self._take = take
        self._folder = folder
        self._clock = clock
        self._saved = 0
        self._seconds = 0.0
        self._writing = Lock()

    async def run(self, begin: asyncio.Event) -> None:
        """Until it is cancelled; to be followed by `save`. begin: set when there is something worth saving.

        At once then: what is stored from here on is known to be clean up to what a later start can read on from.
        """
        await begin.wait()
        await self.save()
        while True:
            await asyncio.sleep(max(EVERY_SECONDS, PART_OF_A_CORE * self._seconds))
            await self.save()

    async def save(self) -> None:
        """Save what has changed. A disk that refuses is told in the log, and costs a longer start only."""
        snapshot = self._take()
        if snapshot is None or snapshot.applied == self._saved:
            return
        since = self._clock.mono()
        try:
            await asyncio.to_thread(self._save, snapshot)
        except OSError as error:
            _log.error("the purge table cannot be saved", extra={"why": str(error)})
            return
        self._saved = snapshot.applied
        self._seconds = self._clock.mono() - since

    def _save(self, snapshot: Snapshot) -> None:
        """One after the other: `run` may be cancelled while its thread still writes."""
        with self._writing:
            save(snapshot, self._folder)
