"""What `perigee run` was told, and how it becomes settings: the same in the supervisor and in every worker.

Owns: `CommandLine`. Rules: settings are never handed from process to process, least of all pickled; each process reads
the files itself, after the supervisor has read them without a fault. It crosses to a worker as plain JSON values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge.log import Form
from edge.settings.load import from_origin, load_node
from edge.settings.node import LogLevel, NodeSettings, Overrides


@dataclass(frozen=True, slots=True)
class CommandLine:
    """config: the node file, None = started with an origin alone. level, form: of the log, None = as the file says."""

    config: Path | None
    overrides: Overrides
    level: LogLevel | None = None
    form: Form | None = None

    def load(self) -> NodeSettings:
        """Read everything anew. Blocks. Raises SettingsFault with every problem."""
        if self.config is not None:
            settings = load_node(self.config, self.overrides, on_this_machine=True)
        else:
            assert self.overrides.origin is not None, "neither a node file nor an origin"
            settings = from_origin(self.overrides.origin, self.overrides, on_this_machine=True)
        log = settings.log
        level = log.level if self.level is None else self.level
        form = log.form if self.form is None else self.form
        return replace(settings, log=replace(log, level=level, form=form))

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
