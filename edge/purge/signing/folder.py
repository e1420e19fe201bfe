"""The keys in force, kept as a folder has them.

Owns: `KeyFolder`, which looks at the files once a second. Rules: the ring is replaced whole; a bad file leaves the old
keys in force and is said in the log, counted, and shown by `complaint` until it is put right: else one slip would lock out
everybody, or, where it is a revocation that is misspelled, nobody would hear of it. What a good file revokes is revoked all
the same, since a leaked key does not wait for another's slip to be put right. A file that has just changed may be
half written, so it is read when a second look finds it unchanged. Files are read in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edge.measures import Measures
from edge.purge.signing.key_files import key_files, load_keys, revoked_in
from edge.purge.signing.keys import KeyRing, KeyState
from edge.settings.problems import Problem, SettingsFault
from edge.settings.reload import MAX_LOGGED, Settling

PERIOD_SECONDS = 1.0

Stamps = Mapping[Path, tuple[int, int, int] | None]
"""Of each file when it changed last (its mode too), its size and its inode; None = it cannot be seen."""

_log = logging.getLogger("perigee.keys")


class KeyFolder:
    """The keys of a folder. ring: those in force; take it anew for each request, it is replaced when files change."""

    def __init__(
        self, folder: Path, ring: KeyRing, seen: Stamps, *, measures: Measures, env: Mapping[str, str] | None
    ) -> None:
        self.folder = folder
        self.ring = ring
        self.refused: tuple[Problem, ...] = ()
        """Problems of the files as they are now, while older keys are in force."""
        self._settling = Settling(seen)
        self._measures = measures
        self._env = env
        self._count()

    @classmethod
    def load(cls, folder: Path, *, measures: Measures, env: Mapping[str, str] | None = None) -> KeyFolder:
        """From the files as they are. Raises SettingsFault with every problem. It blocks."""
        seen = _stamps(folder)
        return cls(folder, load_keys(folder, env=env), seen, measures=measures, env=env)

    def complaint(self) -> str | None:
        """For readiness: what is wrong with the files, on one line; None when what they say is in force."""
        if not self.refused:
            return None
        more = f" (and {len(self.refused) - 1} more)" if len(self.refused) > 1 else ""
        return f"older keys are in force: {self.refused[0]}{more}"

    async def run(self, *, period: float = PERIOD_SECONDS) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(period)
            await self.look()

    async def look(self) -> None:
        """One look at the files; reads them when they changed and came to rest."""
        now = await asyncio.to_thread(_stamps, self.folder)
        if self._settling.is_due(now):
            await self._read()

    async def _read(self) -> None:
        try:
            ring = await asyncio.to_thread(load_keys, self.folder, env=self._env)
        except SettingsFault as fault:
            self.refused = fault.problems
            self._measures.key_reloads.of("refused").value += 1
            for problem in fault.problems[:MAX_LOGGED]:
                _log.error("bad key", extra={"problem": str(problem)})
            _log.error("keys refused; the old ones stay in force", extra={"problems": len(fault.problems)})
            self._revoke(await asyncio.to_thread(revoked_in, self.folder, env=self._env))
            return
        self.ring, self.refused = ring, ()
        self._measures.key_reloads.of("taken").value += 1
        self._count()
        _log.info("keys taken", extra={"keys": len(ring)})

    def _revoke(self, ids: frozenset[str]) -> None:
        self.ring = KeyRing(
            replace(key, state=KeyState.REVOKED) if key.id in ids else key for key in self.ring
        )
        self._count()

    def _count(self) -> None:
        for state in KeyState:
            self._measures.keys.of(state.value).value = sum(key.state is state for key in self.ring)


def _stamps(folder: Path) -> Stamps:
    found: dict[Path, tuple[int, int, int] | None] = {}
    try:
        files = key_files(folder)
    except OSError:
        return {folder: None}
    for file in files:
        try:
            now = file.stat()
        except OSError:
            found[file] = None
        else:
            found[file] = (now.st_ctime_ns, now.st_size, now.st_ino)
    return found
