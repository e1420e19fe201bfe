"""What the machine gives a server: cores, how many files may be open, and an event loop.

Owns: `cores` and `raise_file_limit`, which supervisors ask first, and `new_loop`, on which workers run.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable
from contextlib import suppress


def cores() -> int:
    """Those that this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1) if affinity is None else len(affinity(0))


def raise_file_limit() -> None:
    """As many descriptors as the system lets us have; workers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit infinite and refuses infinity
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop: of uvloop where that is there, else of asyncio."""
    try:
        import uvloop  # noqa: PLC0415  # it is optional
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
