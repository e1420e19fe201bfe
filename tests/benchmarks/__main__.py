"""Run the small benchmarks: `python -m tests.benchmarks [WORD]`. It prints, and judges nothing.

A number is the least of seven rounds. The ratio to the calibration loop, measured in turns with it, is what can be compared
between machines and days; docs/performance.md has those of one.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Callable

from edge.server.machine import new_loop
from edge.server.worker_main import spare_the_store
from tests.benchmarks.micro import benchmarks, calibration
from tests.benchmarks.scene import CONDITIONAL, Scene

ROUNDS = 7


def least(once: Callable[[], object], calls: int) -> float:
    """Seconds of one call."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(calls):
            once()
        best = min(best, time.perf_counter() - began)
    return best / calls


def show(name: str, seconds: float) -> None:
    print(f"{name:42} {seconds * 1e6:9.2f} us  {seconds / least(calibration, 200):7.3f}", flush=True)


async def in_process(word: str) -> None:
    """What needs a loop: whole requests without sockets."""
    scene = Scene()
    try:
        for name, request in (("a hit, whole", None), ("a 304, whole", CONDITIONAL)):
            if word in name:
                show(name, least(scene.hit if request is None else lambda: scene.hit(CONDITIONAL), 2_000))
        if word in "a stored miss, whole":
            numbers = itertools.count()
            best = float("inf")
            for _ in range(ROUNDS):
                began = time.perf_counter()
                for _ in range(200):
                    await scene.miss(f"/1k/once/{next(numbers)}")
                best = min(best, (time.perf_counter() - began) / 200)
            show("a stored miss, whole", best)
    finally:
        await scene.aclose()


def main() -> None:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    spare_the_store()
    print(f"{'':42} {'time':>12}  to calibration")
    for each in benchmarks():
        if word in each.name:
            show(each.name, least(each.once, each.calls))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(in_process(word))


if __name__ == "__main__":
    main()
