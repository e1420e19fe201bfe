"""What is measured. PURE.

Owns: `Workload` and the list of them. Rules: each says what the origin must have been asked meanwhile, so that a benchmark
of hits that were misses cannot look like one, and beside whom it is measured; a new row is one more value here, and what it
needs beside its fields is one more kind of `Load`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tools.benching.heads import Field
from tools.benching.origin import TAG


class Origin(Enum):
    """What the origin sees during a measured run."""

    NOTHING = "nothing"
    EVERY_REQUEST = "every request"
    ONE_REQUEST = "one request"


class Unit(Enum):
    """What a workload's number is; more of it is better but for P99_SECONDS and REQUESTS_AT_ORIGIN."""

    PER_SECOND = "requests/s"
    BYTES_PER_SECOND = "MB/s"
    REQUESTS_AT_ORIGIN = "origin requests"
    P99_SECONDS = "p99"


@dataclass(frozen=True, slots=True)
class Workload:
    """One row. targets: what is asked for, in this order, again and again; (): each URL once, named by a counter."""

    name: str
    title: str
    targets: tuple[str, ...]
    unit: Unit = Unit.PER_SECOND
    connections: int = 32
    extra: tuple[Field, ...] = ()
    origin: Origin = Origin.NOTHING
    memory_mib: int = 256
    access_log: bool = False
    settle_seconds: float = 0.0
    """Waited between filling the cache and measuring, for what is written behind."""
    cookies: bool = False
    """Each target with a cookie of its own, so that no field section comes twice: nothing can be remembered of one."""
    clients_at_once: int = 0
    """Not 0: no steady load but so many clients at one moment on one cold URL."""
    rate: int = 0
    """Not 0: so many requests a second, sent when they are due, whatever becomes of those before."""
    tls: bool = False
    """Over TLS 1.3."""
    beside: tuple[str, ...] = ("nginx", "Varnish")
    """The contenders that the row is about, beside ours."""

    @property
    def distinct(self) -> tuple[str, ...]:
        """Every target once, to fill the cache with."""
        return tuple(dict.fromkeys(self.targets))


def _zipf(size: str, paths: int, count: int = 20_000, skew: float = 1.0) -> tuple[str, ...]:
    """`count` draws of `paths` targets, rank r with weight 1 / (r + 1) ** skew; always the same draws."""
    dice = random.Random(1)
    weights = list(itertools.accumulate(1 / rank**skew for rank in range(1, paths + 1)))
    return tuple(
        f"/{size}/assets/img/picture-{rank:05d}.webp?v=3"
        for rank in dice.choices(range(paths), cum_weights=weights, k=count)
    )


def _uniform(size: str, paths: int) -> tuple[str, ...]:
    """Every path once, shuffled."""
    numbers = list(range(paths))
    random.Random(2).shuffle(numbers)
    return tuple(f"/{size}/assets/img/picture-{number:05d}.webp?v=3" for number in numbers)


DISK_MEMORY_MIB = 4
DISK_PATHS = 10 * DISK_MEMORY_MIB * 1024 // 8


def _hits() -> Workload:
    return Workload("hits", "memory hits, 1 KB, 1,000 zipf paths", _zipf("1k", 1000))


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "hits": _hits,
    "strangers": lambda: Workload(
        "strangers", "the same, no two heads alike", _zipf("1k", 1000), cookies=True
    ),
    "log": lambda: Workload("log", "the same with access log on", _zipf("1k", 1000), access_log=True),
    "304": lambda: Workload(
        "304", "304 to If-None-Match", _zipf("1k", 1000), extra=(("If-None-Match", TAG),)
    ),
    "tls": lambda: Workload(
        "tls", "hits over TLS 1.3, kept connections", _zipf("1k", 1000), tls=True, beside=("nginx",)
    ),
    "disk": lambda: Workload(
        "disk",
        "disk hits, 8 KB, 10 x the memory tier",
        _uniform("8k", DISK_PATHS),
        memory_mib=DISK_MEMORY_MIB,
        beside=("nginx",),
        settle_seconds=1.5,
    ),
    "misses": lambda: Workload(
        "misses", "misses that are stored, 1 KB, each URL once", (), origin=Origin.EVERY_REQUEST
    ),
    "1m": lambda: Workload(
        "1m",
        "1 MB from memory",
        tuple(f"/1m/video/segment-{number}.m4s" for number in range(16)),
        unit=Unit.BYTES_PER_SECOND,
        connections=8,
    ),
    "100m": lambda: Workload(
        "100m",
        "100 MB from disk",
        ("/100m/download/image.iso",),
        unit=Unit.BYTES_PER_SECOND,
        connections=4,
        settle_seconds=0.5,
        beside=("nginx",),
    ),
    "rate": lambda: Workload(
        "rate",
        "p99 of hits at 10,000 a second, open loop (less is better)",
        _zipf("1k", 1000),
        unit=Unit.P99_SECONDS,
        rate=10_000,
    ),
    "crowd": lambda: Workload(
        "crowd",
        "1,000 clients at once, one cold URL, 1 s origin",
        (),
        unit=Unit.REQUESTS_AT_ORIGIN,
        origin=Origin.ONE_REQUEST,
        clients_at_once=1000,
    ),
}
"""By the name they are called on the command line, in the order of the table."""
