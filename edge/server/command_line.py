"""What `perigee run` was told, and how it becomes settings: the same in the supervisor and in every worker.

Owns: `CommandLine`, `Standing`, and `write_contents` / `read_contents`. Rules: what crosses from the supervisor to a worker is
the command line and what stood in the files, and both make settings of it by the same code: nothing is pickled, and a
worker that is started at a moment when the files are bad, or half written, has the settings that are in force, whenever
it is started: of what counts only after a restart, the values that the others were started with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge.log import Form
from edge.server.run_dir import write_kept
from edge.settings.change import rolled, without_restart
from edge.settings.load import Contents, from_origin, load_node
from edge.settings.node import LogLevel, NodeSettings, Overrides


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and what stood in the files that they come from."""

    settings: NodeSettings
    contents: Contents


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood in the files: when they were last found good, when the last roll of workers began, when the node started."""

    now: Contents
    rolled: Contents
    started: Contents

    @classmethod
    def once(cls, contents: Contents) -> Standing:
        """Of a node that is just being started."""
        return cls(contents, contents, contents)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """config: the node file, None = started with an origin alone. level, form: of the log, None = as the file says."""

    config: Path | None
    overrides: Overrides
    level: LogLevel | None = None
    form: Form | None = None

    def load(self, kept: Contents | None = None) -> Loaded:
        """Read everything anew. kept: instead of the files. Blocks. Raises SettingsFault with every problem."""
        here = kept is None  # what was kept was checked against this machine, too
        contents: dict[Path, bytes] = {}
        if self.config is not None:
            settings = load_node(self.config, self.overrides, on_this_machine=here, kept=kept, keep=contents)
        else:
            assert self.overrides.origin is not None, "neither a node file nor an origin"
            settings = from_origin(self.overrides.origin, self.overrides, on_this_machine=here)
        log = settings.log
        level = log.level if self.level is None else self.level
        form = log.form if self.form is None else self.form
        return Loaded(replace(settings, log=replace(log, level=level, form=form)), contents)

    def named(self, name: str) -> CommandLine:
        """The same, holding on to the name in force alone: for what is compared with settings that are."""
        return replace(self, overrides=replace(self.overrides, name=name))

    def in_force(self, kept: Standing) -> NodeSettings:
        """The settings of a worker that starts now. Blocks. What is kept was found good, so it raises nothing."""
        now = self.load(kept.now).settings
        base = now if self._says_the_same(kept.rolled, kept.now) else self.load(kept.rolled).settings
        if not self._says_the_same(kept.started, kept.rolled):
            base = rolled(self.load(kept.started).settings, base)
        return now if base is now else without_restart(base, now)

    def _says_the_same(self, one: Contents, other: Contents) -> bool:
        """Whether the node file does: what counts only after a restart stands there."""
        return self.config is None or one[self.config] == other[self.config]

    def pinned(self, settings: NodeSettings) -> CommandLine:
        """The same, holding on to the name and the folder in force, which a file can change only for the next start."""
        overrides = replace(self.overrides, name=settings.name, data_dir=str(settings.data_dir.absolute()))
        return replace(self, overrides=overrides)

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "config": None if self.config is None else str(self.config),
            "overrides": asdict(self.overrides),
            "level": None if self.level is None else self.level.value,
            "form": None if self.form is None else self.form.value,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> CommandLine:
        """What `as_json` gave."""
        config, level, form, overrides = said["config"], said["level"], said["form"], said["overrides"]
        assert isinstance(overrides, dict), f"no overrides: {said}"
        return cls(
            None if config is None else Path(str(config)),
            Overrides(**overrides),
            None if level is None else LogLevel(level),
            None if form is None else Form(form),
        )


def write_contents(kept: Standing, file: Path) -> None:
    """For `read_contents` of another process of this user; what is the same stands there once. Blocks. OSError."""
    parts = {"now": kept.now}
    if kept.rolled is not kept.now:
        parts["rolled"] = kept.rolled
    if kept.started is not kept.rolled:
        parts["started"] = kept.started
    said = {
        part: {str(name): content.decode("latin-1") for name, content in contents.items()}
        for part, contents in parts.items()
    }
    write_kept(said, file)


def read_contents(file: Path) -> Standing:
    """What `write_contents` wrote last. Blocks. OSError."""
    said = {
        part: {Path(name): content.encode("latin-1") for name, content in contents.items()}
        for part, contents in json.loads(file.read_text()).items()
    }
    last = said.get("rolled", said["now"])
    return Standing(said["now"], last, said.get("started", last))
