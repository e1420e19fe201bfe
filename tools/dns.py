"""`perigee dns`: the authoritative DNS server of a network, until it is told to stop.

Owns: what the command line means, the log, and the line that says where the server is. Exit codes: 0 it was told to stop and
ended as it should, 1 it failed, 2 (by raising ConfigFault) its settings cannot be used.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from edge.errors import ConfigFault
from edge.log import Form, set_up
from edge.server.dns_command import DnsCommand
from edge.server.dns_supervisor import DnsSupervisor
from edge.settings.node import LogLevel

DATA_DIR = "var/perigee-dns"


def run(
    config: Path,
    *,
    listen: str | None = None,
    admin: str | None = None,
    data_dir: str | None = None,
    workers: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> int:
    """Answer until told to stop; the exit code. None = as the file says, or the default. ConfigFault, EdgeError."""
    command = DnsCommand(
        config=str(config),
        data_dir=data_dir or DATA_DIR,
        listen=listen,
        admin=admin,
        workers=workers,
        level=_word("--log-level", log_level or LogLevel.INFO.value, [each.value for each in LogLevel]),
        form=_word("--log-format", log_format or Form.TEXT.value, [each.value for each in Form]),
    )
    log = set_up(level=command.level, form=Form(command.form))
    try:
        return asyncio.run(DnsSupervisor(command, announce=_announce).run())
    finally:
        log.close()


def _word(option: str, said: str, words: list[str]) -> str:
    if said.lower() not in words:
        raise ConfigFault(f"command line: {option}: {said!r} is not known; allowed: {', '.join(words)}")
    return said.lower()


def _announce(where: str) -> None:
    print(f"perigee dns: {where}", file=sys.stderr, flush=True)
