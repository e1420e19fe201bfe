"""A process that writes to a disk tier until it is killed: `python -m tests.kit.disk_process DIRECTORY PART PARTS FIRST STOP`.

It owns the primaries whose last byte is PART modulo PARTS, and prints `name version` for each write that has returned.
The meta of each response says which body belongs to it. In the middle of the first large body from version STOP on it
prints `stopped` and goes no further.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

from edge.store.disk import NO_VARY, DiskTier
from tests.kit.disk import MB, SMALL, body_of, primary

NAMES = 24
LENGTHS = (10, 900, 5_000, 300_000, 0, 1_200_000, 700, 40_000)


def meta_of(name: int, version: int, length: int, freshened: int = 0) -> bytes:
    """The meta that goes with `body_of(name, version, length)`."""
    return b"%d %d %d %d" % (name, version, length, freshened)


def owner_of(name: int, parts: int) -> int:
    """Which of `parts` processes writes `name`."""
    return primary(name)[-1] % parts


def tier_of(directory: Path, part: int, parts: int) -> DiskTier:
    """The tier of one of `parts` processes. The ceiling is never met."""
    limits = replace(SMALL, busy_seconds=5.0)
    return DiskTier(directory, 256 * MB, limits=limits, owns=lambda key: key[-1] % parts == part)


def main(directory: Path, part: int, parts: int, first: int, stop: int) -> None:
    """Write for ever."""
    tier = tier_of(directory, part, parts)
    tier.open()
    names = [name for name in range(NAMES) if owner_of(name, parts) == part]
    for version in count(first):
        name = names[version % len(names)]
        length = LENGTHS[version % len(LENGTHS)]
        body = body_of(name, version, length)
        with tier.begin(primary(name), NO_VARY, length) as writer:
            for start in range(0, length, 50_000):
                writer.write(body[start : start + 50_000])
                if version >= stop and start >= 200_000:
                    print("stopped", flush=True)
                    signal.pause()
            writer.finish(meta_of(name, version, length))
        print(name, version, flush=True)
        if version % 3 == 0:
            tier.replace_meta(primary(name), NO_VARY, meta_of(name, version, length, freshened=1))
        if version % 11 == 0:
            tier.tend()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
