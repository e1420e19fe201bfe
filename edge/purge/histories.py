"""Numbers for the histories of the log, the same for all processes of a node.

Owns: `Histories`. A stored response's fence is one integer: the number of a history, then a sequence number in it
(edge.semantics.purge_table). Rules: numbers only grow, and what comes later is larger, also when an old history comes
back (it gets a new number: what was stored under the old one is unknown by then); a number is on disk before it is used.
The last one stands beside the folder, too: who removes the folder and keeps what is stored would else have it trusted, under
a number that is given again. Where both are lost, numbers go on from one that the calendar gives.
Reading and writing it blocks, for a millisecond, and happens when a node first sees a log and when a log was lost.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.errors import StoreFault

VERSION: Final = 1
KEPT: Final = 100
"""Histories remembered; the oldest is forgotten."""
MAX_NUMBER: Final = 0xFFFF
"""16 bits: a fence has 64, of which 48 are for sequence numbers."""
SLOT_SECONDS: Final = 21_600
"""A lost file begins with the number of the six hours that we are in; they last for forty years."""
FIRST_SLOT: Final = 81_816
"""2026-01-01, in such slots since 1970."""
_log = logging.getLogger("perigee.purge")


class Histories:
    """See the module. folder: data_dir/purge, made where it is absent."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._file = folder / "histories.json"
        self._last_file = folder.with_name(f"{folder.name}.last")
        self._clock = clock

    def number_of(self, history: str) -> int | None:
        """The number it has; None = it was never seen. Blocks."""
        with self._locked():
            return self._read().get(history)

    def enter(self, history: str, *, after: int) -> int:
        """The number of a history that comes after the one numbered `after` (0 = none). Blocks. StoreFault, OSError."""
        with self._locked():
            known = self._read()
            number = known.get(history, 0)
            if number > after:
                return number
            number = max([after, self._least() - 1, *known.values()]) + 1
            if number > MAX_NUMBER:
                raise StoreFault(
                    f"{self._file}: no numbers are left; stop the node and remove its data folder"
                )
            known[history] = number
            _replace(self._last_file, b"%d" % number)
            self._write(dict(sorted(known.items(), key=lambda each: each[1])[-KEPT:]))
            return number

    def _least(self) -> int:
        """The first number of a file that begins today."""
        if self._file.exists():
            return 1
        calendar = max(0, int(self._clock.now() // SLOT_SECONDS) - FIRST_SLOT) + 1
        return max(calendar, self._last() + 1)

    def _last(self) -> int:
        """The last number that was given; 0 = not known."""
        try:
            said = self._last_file.read_bytes()
        except FileNotFoundError:
            return 0
        return int(said) if said.isdigit() else 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / "histories.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self) -> dict[str, int]:
        try:
            said = json.loads(self._file.read_bytes())
            known = said["histories"]
            if said["v"] != VERSION or not all(type(number) is int for number in known.values()):
                raise ValueError("not of this version")
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.error(
                "the file of histories is damaged; all that is stored is unknown", extra={"why": str(error)}
            )
            self._file.replace(self._file.with_suffix(".damaged"))
            return {}
        return dict(known)

    def _write(self, known: dict[str, int]) -> None:
        _replace(self._file, json.dumps({"v": VERSION, "histories": known}).encode())


def _replace(file: Path, data: bytes) -> None:
    """It is on the disk when this returns."""
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
