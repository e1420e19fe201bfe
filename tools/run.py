"""`perigee run`: one node, until it is told to stop.

Owns: what the command line means, the log, and the line that says where the node is. Exit codes: 0 it was told to stop and
ended as it should, 1 it failed, 2 (by raising SettingsFault) its settings cannot be used.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from edge.errors import ConfigFault
from edge.log import Form, set_up
from edge.server.command_line import CommandLine
from edge.server.supervisor import Supervisor
from edge.settings.node import LogLevel, Overrides

PROGRAM = "origin_shield.worker"
"""Of a worker: one that spares the origins."""


def run(
    config: Path | None, said: Overrides, *, log_level: str | None = None, log_format: str | None = None
) -> int:
    """Run a node until it is told to stop; the exit code.

    config: the node file, None = none. log_level, log_format: None = as the node file says. SettingsFault, EdgeError.
    """
    command_line = CommandLine(config, said, _level(log_level), _form(log_format))
    loaded = command_line.load()
    log = set_up(level=loaded.settings.log.level.value, form=loaded.settings.log.form)
    try:
        return asyncio.run(Supervisor(command_line, loaded, announce=_announce, program=PROGRAM).run())
    finally:
        log.close()


def _announce(where: str) -> None:
    print(f"perigee: {where}", file=sys.stderr, flush=True)


def _level(said: str | None) -> LogLevel | None:
    try:
        return None if said is None else LogLevel(said.lower())
    except ValueError:
        words = ", ".join(level.value for level in LogLevel)
        raise ConfigFault(f"command line: --log-level: {said!r} is no level; allowed: {words}") from None


def _form(said: str | None) -> Form | None:
    try:
        return None if said is None else Form(said.lower())
    except ValueError:
        words = ", ".join(form.value for form in Form)
        raise ConfigFault(f"command line: --log-format: {said!r} is no form; allowed: {words}") from None
