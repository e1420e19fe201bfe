"""The atlas of now: made from the databases at the start, made anew when one of them changes.

Owns: `AtlasKeeper`. Rules: an atlas is replaced as a whole; a database that is missing or damaged leaves what was used before
in use - at the start the last good copy of it, else nothing - and `complaints` say so until it is good again. A file that was
refused is not read again before it changes. `refresh` blocks; `keep` calls it in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.geo.atlas import Atlas
from edge.geo.database import (
    BadDatabase,
    Database,
    forget_copies,
    open_database,
    open_last_copy,
)
from edge.geo.overrides import Overrides
from edge.settings.network import GeoSettings
from edge.settings.reload import Stamp, stamp_of

_log = logging.getLogger("perigee.geo")


@dataclass(slots=True)
class _Kept:
    """One database. stamp: of the file when it was last read. wrong: why what was read then is not what is in use."""

    file: Path
    database: Database | None = None
    stamp: Stamp | None = None
    wrong: str | None = None
    looked: bool = False


class AtlasKeeper:
    """See the module. folder: where copies are kept, below the data folder."""

    def __init__(self, settings: GeoSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._overrides = Overrides(settings.overrides)
        self._kept = [_Kept(file) for file in settings.databases]
        self.generation = 0
        """Grows by one with every new atlas."""
        self.refused = 0
        """Files that were read and not taken."""
        self.atlas = self._made()

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with databases now, a sentence each; () = nothing."""
        return tuple(kept.wrong for kept in self._kept if kept.wrong is not None)

    @property
    def databases(self) -> tuple[Database, ...]:
        """Those in use, in their order."""
        return tuple(kept.database for kept in self._kept if kept.database is not None)

    def refresh(self) -> bool:
        """Look at every file; whether there is a new atlas now. It blocks."""
        changed = [self._look(kept) for kept in self._kept]
        if not any(changed):
            return False
        self.atlas = self._made()
        self.generation += 1
        return True

    async def keep(self, then: Callable[[Atlas], None]) -> None:
        """Refresh until cancelled, every `geo.reload`; `then` is told each new atlas, on the loop."""
        while self._settings.reload is not None:
            await asyncio.sleep(self._settings.reload)
            if await asyncio.to_thread(self.refresh):
                then(self.atlas)

    def _made(self) -> Atlas:
        sources = [database.source for database in self.databases]
        return Atlas(sources, self._overrides, max_places=self._settings.max_places)

    def _look(self, kept: _Kept) -> bool:
        stamp = stamp_of(kept.file)
        if kept.looked and stamp == kept.stamp:
            return False
        first, kept.looked, kept.stamp = not kept.looked, True, stamp
        try:
            database = open_database(kept.file, self._folder, max_bytes=self._settings.max_database)
        except BadDatabase as fault:
            self.refused += 1
            return self._refuse(kept, fault.detail, first=first)
        kept.wrong = None
        if kept.database is not None and kept.database.copy == database.copy:
            return False  # touched, or put back
        kept.database = database
        forget_copies(database)
        _log.info("database %s: %s, %s", database.file, database.type, database.networks)
        return True

    def _refuse(self, kept: _Kept, why: str, *, first: bool) -> bool:
        if first:
            kept.database = open_last_copy(kept.file, self._folder)
        used = (
            "nobody's place is known from it" if kept.database is None else "the one before it stays in use"
        )
        kept.wrong = f"{why}; {used}"
        _log.error("database %s", kept.wrong)
        return first and kept.database is not None
