"""Measures eviction policies on traces: object and byte hit ratio, at several sizes of the cache. Offline, no sockets.

    .venv/bin/python -m tools.eviction_bench [access log, plain or .gz, in combined format]

Prints the table of docs/why/003-eviction.md, which is the reason for the policy in edge/store/memory.py. The policies
are those of edge/store/eviction.py; LRU and LFU stand here and only here, as the yardsticks. All traces but the log are
made from a fixed seed. Every policy sees the same requests, sizes and limits; cold misses count, so that the best
ratio there could be ("all") is below one. PYTHONHASHSEED=0 makes runs equal to the last digit (ghosts are hashed).
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.store.eviction import Policy, Queue, Resident, S3Fifo, Sieve

SHARES = (0.01, 0.05, 0.10, 0.25)
"""Sizes of the cache as parts of the trace's footprint (the sum of the sizes of all its objects)."""

OBJECTS = 10_000
REQUESTS = 80_000


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in order, as keys, and the size in bytes of each key's object."""

    name: str
    requests: tuple[bytes, ...]
    sizes: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class Ratios:
    """Hits per request, and bytes from hits per byte asked for; both 0 to 1."""

    objects: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy under test; `touch` is what it does on a hit beyond the mark, None for the product's policies."""

    name: str
    build: Callable[[int], tuple[Policy, Callable[[Resident], None] | None]]


class Lru(Policy):
    """Least recently used: the yardstick. Its hit moves the resident, which is what the product cannot afford."""

    def __init__(self) -> None:
        super().__init__()
        self._queue = Queue()

    def touch(self, resident: Resident) -> None:
        """A hit: `resident` is the newest now."""
        self._queue.remove(resident)
        self._queue.append(resident)

    def place(self, newcomer: Resident) -> None:
        """There is one queue."""
        newcomer.queue = self._queue

    def victim(self, newcomer: Resident) -> Resident:
        """The one not used for longest."""
        resident = self._queue.oldest()
        self.remove(resident)
        return resident


class Lfu(Lru):
    """Least frequently used while in the cache, and the oldest of equals. Outdated heap tops are skipped."""

    def __init__(self) -> None:
        super().__init__()
        self._uses: dict[Resident, int] = {}
        self._heap: list[tuple[int, int, Resident]] = []
        self._turn = itertools.count()

    def touch(self, resident: Resident) -> None:
        """A hit: one use more."""
        self._uses[resident] += 1
        heapq.heappush(self._heap, (self._uses[resident], next(self._turn), resident))

    def admit(self, newcomer: Resident) -> None:
        """To come in is the first use."""
        super().admit(newcomer)
        self._uses[newcomer] = 0
        self.touch(newcomer)

    def victim(self, newcomer: Resident) -> Resident:
        """The one with the fewest uses."""
        while True:
            uses, _, resident = heapq.heappop(self._heap)
            if self._uses.get(resident) == uses:
                self.remove(resident)
                return resident

    def remove(self, resident: Resident) -> None:
        """Its uses are forgotten with it."""
        super().remove(resident)
        del self._uses[resident]


def _lru(_: int) -> tuple[Policy, Callable[[Resident], None]]:
    policy = Lru()
    return policy, policy.touch


def _lfu(_: int) -> tuple[Policy, Callable[[Resident], None]]:
    policy = Lfu()
    return policy, policy.touch


CONTENDERS = (
    Contender("LRU", _lru),
    Contender("LFU", _lfu),
    Contender("SIEVE", lambda _: (Sieve(), None)),
    Contender("S3-FIFO", lambda capacity: (S3Fifo(capacity), None)),
)


def replay(contender: Contender, trace: Trace, capacity: int) -> Ratios:
    """Run `trace` through a cache of `capacity` bytes. What is larger than a tenth of it is never admitted."""
    policy, touch = contender.build(capacity)
    held: dict[bytes, Resident] = {}
    used = hits = hit_bytes = asked_bytes = 0
    for key in trace.requests:
        size = trace.sizes[key]
        asked_bytes += size
        resident = held.get(key)
        if resident is not None:
            hits += 1
            hit_bytes += size
            resident.visited = True
            if touch is not None:
                touch(resident)
        elif size <= capacity // 10:
            newcomer = Resident(key, size)
            policy.place(newcomer)
            while used + size > capacity:
                victim = policy.victim(newcomer)
                del held[victim.key]
                used -= victim.size
            held[key] = newcomer
            used += size
            policy.admit(newcomer)
    return Ratios(hits / len(trace.requests), hit_bytes / asked_bytes)


def _dice(seed: int) -> random.Random:
    return random.Random(seed)


def _named(number: int) -> bytes:
    return b"/object/%d" % number


def _trace(name: str, numbers: list[int], dice: random.Random) -> Trace:
    """Sizes as on the web: log-normal, median 8 KB, mean 18 KB, from 200 B to 4 MB; the same for a key in any order."""
    sizes = {
        _named(number): min(max(int(dice.lognormvariate(9.0, 1.3)), 200), 4_000_000)
        for number in sorted(set(numbers))
    }
    return Trace(name, tuple(map(_named, numbers)), sizes)


def _zipf(dice: random.Random, skew: float, count: int) -> list[int]:
    """`count` draws of ranks below OBJECTS, rank r with weight 1 / (r + 1) ** skew."""
    weights = list(itertools.accumulate(1 / rank**skew for rank in range(1, OBJECTS + 1)))
    return dice.choices(range(OBJECTS), cum_weights=weights, k=count)


def zipf(skew: float) -> Trace:
    """Popularity that never changes."""
    dice = _dice(1)
    return _trace(f"zipf {skew}", _zipf(dice, skew, REQUESTS), dice)


def zipf_with_scans() -> Trace:
    """A crawler: after every 4,000 requests 2,000 in a row for the next cold objects of 6,000, round and round."""
    dice = _dice(2)
    numbers: list[int] = []
    cold = itertools.cycle(range(OBJECTS, OBJECTS + 6_000))
    draws = _zipf(dice, 1.0, REQUESTS)
    for start in range(0, REQUESTS, 4_000):
        numbers += draws[start : start + 4_000]
        numbers += itertools.islice(cold, 2_000)
    return _trace("zipf 1.0 + scans", numbers, dice)


def loop() -> Trace:
    """The same 4,000 objects in the same order, again and again: the worst there is for LRU."""
    return _trace("loop", [number % 4_000 for number in range(REQUESTS)], _dice(3))


def shifting() -> Trace:
    """Zipf 1.0 whose ranks move on by 200 objects after every 5,000 requests: yesterday's favourites go cold."""
    dice = _dice(4)
    draws = _zipf(dice, 1.0, REQUESTS)
    return _trace("shifting", [(rank + at // 5_000 * 200) % OBJECTS for at, rank in enumerate(draws)], dice)


def drifting() -> Trace:
    """Zipf 0.9 whose ranks move on by one object after every 50 requests: the same without a jump."""
    dice = _dice(5)
    draws = _zipf(dice, 0.9, REQUESTS)
    return _trace("drifting", [(rank + at // 50) % OBJECTS for at, rank in enumerate(draws)], dice)


_LINE = re.compile(r'"GET (?P<target>\S+) [^"]*" (?P<status>200|206|304) (?P<bytes>\d+|-)')


def from_log(path: Path) -> Trace:
    """The GET requests of a log answered with 200, 206 or 304; an object is as large as its largest answer."""
    requests: list[bytes] = []
    sizes: dict[bytes, int] = {}
    with (
        gzip.open(path, "rt", errors="replace")
        if path.suffix == ".gz"
        else path.open(errors="replace") as lines
    ):
        for line in lines:
            if found := _LINE.search(line):
                key = found["target"].encode()
                size = 0 if found["bytes"] == "-" else int(found["bytes"])
                requests.append(key)
                sizes[key] = max(size, sizes.get(key, 200))
    return Trace("access log", tuple(requests), sizes)


def measure(
    traces: list[Trace], contenders: tuple[Contender, ...]
) -> Iterator[tuple[Trace, float, list[Ratios]]]:
    """Every trace at every size: the ratios in the order of `contenders`."""
    for trace in traces:
        footprint = sum(trace.sizes.values())
        for share in SHARES:
            capacity = int(footprint * share)
            yield trace, share, [replay(contender, trace, capacity) for contender in contenders]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("log", nargs="?", type=Path, help="an access log in combined format, plain or .gz")
    log: Path | None = options.parse_args().log
    traces = [zipf(0.8), zipf(1.0), zipf(1.2), zipf_with_scans(), loop(), shifting(), drifting()]
    if log is not None:
        traces.append(from_log(log))
    print("Hit ratio in percent, by object / by byte.\n")
    print("| trace | cache | " + " | ".join(contender.name for contender in CONTENDERS) + " |")
    print("|---|---|" + "---|" * len(CONTENDERS))
    for trace, share, ratios in measure(traces, CONTENDERS):
        cells = " | ".join(f"{100 * each.objects:.1f} / {100 * each.bytes:.1f}" for each in ratios)
        print(f"| {trace.name} | {share:.0%} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
