"""The drains of a vantage point on its disk, so that they outlive a restart of all of them at once.

Owns: `read_drains`, `write_drains`. Rules: a file that cannot be read is told and left alone: the other vantage points know the
same drains; it is replaced as a whole. Both block.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from edge.geo.drains import Drain, heard_of, said_of
from edge.geo.opinions import MAX_POPS

FILE = "drains.json"
MAX_BYTES = 1 << 20

_log = logging.getLogger("perigee.watch")


def read_drains(folder: Path) -> Mapping[str, Drain]:
    """What was written there last; {} = nothing, or nothing that can be read."""
    file = folder / FILE
    try:
        with file.open("rb") as opened:
            return heard_of(json.loads(opened.read(MAX_BYTES)), MAX_POPS)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        _log.error("drains cannot be read", extra={"file": str(file), "error": str(error)})
        return {}


def write_drains(drains: Mapping[str, Drain], folder: Path) -> None:
    """Keep them. A disk that fails is told."""
    file = folder / FILE
    beside = file.with_suffix(".new")
    try:
        beside.write_text(json.dumps(said_of(drains)), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        _log.error("drains cannot be kept", extra={"file": str(file), "error": str(error)})
