"""`perigee run`: one node, until it is told to stop.

PLACEHOLDER: the server room is not there yet; this says so.
"""

from __future__ import annotations

from pathlib import Path

from edge.errors import EdgeError
from edge.settings.node import Overrides


def run(config: Path | None, said: Overrides, *, log_level: str, log_format: str) -> int:
    """Run a node until it is told to stop; the exit code. config: the node file, None = none. SettingsFault."""
    raise EdgeError(f"not built yet: {config} {said} {log_level} {log_format}")
