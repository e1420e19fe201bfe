"""New settings for a running node.

Owns: `Reloader`, which looks at the files once a second and when it is asked to; and `Settling`, for all who look at files.
Rules: settings are taken whole or not at all; a bad file leaves the old ones in force and is said in the log, counted, and
shown by `complaint` until a good one comes. A file that has just changed may be half written, so it is read when a second
look finds it unchanged; who asks (SIGHUP) means that it is complete. Files are read in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.measures import Measures
from edge.settings.change import Change, compare, rolled, without_restart
from edge.settings.load import site_files
from edge.settings.node import NodeSettings
from edge.settings.problems import Problem, SettingsFault

PERIOD_SECONDS = 1.0
"""A stat of each file a second: 1000 sites cost about 2 ms of a thread."""

MAX_LOGGED = 50
"""Problems of one bad reload that go into the log; `perigee check` says all."""

_log = logging.getLogger("perigee.settings")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file was written or replaced."""

    mtime_ns: int
    size: int
    inode: int
    device: int


Stamps = Mapping[Path, Stamp | None]
"""None = the file is not there."""


def stamp_of(file: Path) -> Stamp | None:
    """None = there is no such file, or it may not be looked at. It blocks."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev)


def stamps(files: Iterable[Path]) -> Stamps:
    """The stamp of each file now. It blocks."""
    return {file: stamp_of(file) for file in files}


class Settling:
    """Whether files changed and came to rest. seen: what tells of each how it was when it was read last."""

    def __init__(self, seen: Mapping[Path, object]) -> None:
        self.seen = seen
        self._fresh: Mapping[Path, object] | None = None
        """What differed from `seen` at the last look."""

    def is_due(self, now: Mapping[Path, object], *, asked: bool = False) -> bool:
        """A look: whether they are to be read, and are seen like this. asked: they are, changed or not."""
        if not asked and now == self.seen:
            self._fresh = None  # they are again as they were
            return False
        if not asked and now != self._fresh:
            self._fresh = now
            return False
        self.seen, self._fresh = now, None
        return True


def watched(settings: NodeSettings) -> tuple[Path, ...]:
    """The node file, its network's, and every site file there is, so that a new one makes a difference. It blocks."""
    if settings.file is None:
        return ()
    network = () if settings.network_file is None else (settings.network_file,)
    return (settings.file, *network, *site_files(settings))


class Reloader:
    """Keeps the settings of a node up to date.

    settings: those in force. load: reads anew (`load_node` with the same command line), called in a thread. apply: is
    given the settings that are in force from now on, with the old values of whatever needs a restart, and what changed.
    """

    def __init__(
        self,
        settings: NodeSettings,
        load: Callable[[], NodeSettings],
        apply: Callable[[NodeSettings, Change], None],
        *,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self.settings = settings
        self.newest = settings
        """What the files said when they were last found good, also of what counts only after a restart."""
        self.refused: tuple[Problem, ...] = ()
        """Problems of the files as they are now, while older settings are in force."""
        self._load = load
        self._apply = apply
        self._clock = clock
        self._measures = measures
        self._asked = asyncio.Event()
        self.quiet = asyncio.Lock()
        """Held while files are read: who holds it sees settings that stand still."""
        self._settling = Settling(stamps(watched(settings)))
        measures.settings_loaded.value = clock.now()

    def rolled(self, settings: NodeSettings) -> None:
        """Every worker was replaced and has `settings`, which `newest` was: what needed no more is in force."""
        self.settings = without_restart(rolled(self.settings, settings), self.settings)

    def request(self) -> None:
        """Read the files anew now, changed or not: what SIGHUP does."""
        self._asked.set()

    def complaint(self) -> str | None:
        """For readiness: what is wrong with the files, on one line; None when what they say is in force."""
        if not self.refused:
            return None
        more = f" (and {len(self.refused) - 1} more)" if len(self.refused) > 1 else ""
        return f"older settings are in force: {self.refused[0]}{more}"

    async def run(self, *, period: float = PERIOD_SECONDS) -> None:
        """Look for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), period)
            await self.look()

    async def look(self) -> None:
        """One look at the files; reads them when they were asked for, or changed and came to rest."""
        async with self.quiet:
            await self._look()

    async def _look(self) -> None:
        asked = self._asked.is_set()
        self._asked.clear()
        now = await asyncio.to_thread(lambda: stamps(watched(self.settings)))
        if self._settling.is_due(now, asked=asked):
            patterns = self.settings.site_files
            await self._reload()
            if self.settings.site_files != patterns:  # other files are watched from now on
                self._settling.seen = await asyncio.to_thread(lambda: stamps(watched(self.settings)))

    async def _reload(self) -> None:
        try:
            new = await asyncio.to_thread(self._load)
        except SettingsFault as fault:
            self._refuse(fault.problems)
            return
        change = compare(self.settings, new)
        self.settings, self.refused, self.newest = without_restart(self.settings, new), (), new
        self._apply(self.settings, change)
        self._measures.reloads.of("taken").value += 1
        self._measures.settings_loaded.value = self._clock.now()
        _log.info("settings taken", extra=_said(change))
        if change.roll:
            _log.warning(
                "settings changed that count once workers were replaced: perigee roll, or SIGUSR2",
                extra={"settings": ", ".join(change.roll)},
            )
        if change.restart:
            _log.warning(
                "settings changed that need a restart of the node",
                extra={"settings": ", ".join(change.restart)},
            )

    def _refuse(self, problems: tuple[Problem, ...]) -> None:
        self.refused = problems
        self._measures.reloads.of("refused").value += 1
        for problem in problems[:MAX_LOGGED]:
            _log.error("bad setting", extra={"problem": str(problem)})
        _log.error("settings refused; the old ones stay in force", extra={"problems": len(problems)})


def _said(change: Change) -> dict[str, str]:
    """What changed, for the log; what did not is left out."""
    parts = {
        "settings": change.live,
        "sites_added": change.sites_added,
        "sites_removed": change.sites_removed,
        "sites_changed": change.sites_changed,
    }
    return {name: ", ".join(names) for name, names in parts.items() if names}
