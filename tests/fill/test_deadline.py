"""A deadline that is moved all the time costs one timer."""

import asyncio

from edge.fill.deadline import NEVER, Deadline


class Watched:
    """A loop's clock and timers, moved by hand: what a Deadline uses of a loop."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, asyncio.TimerHandle]] = []
        self.made = 0
        self.loop = asyncio.get_running_loop()

    def time(self) -> float:
        return self.now

    def call_at(self, when, callback):
        self.made += 1
        handle = asyncio.TimerHandle(when, callback, (), self.loop)
        self.timers.append((when, handle))
        return handle

    def advance(self, to: float) -> None:
        while due := [timer for timer in self.timers if timer[0] <= to and not timer[1].cancelled()]:
            self.timers.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]._run()
        self.now = to


def made() -> tuple[Watched, Deadline, list[float]]:
    watched, fired = Watched(), []
    deadline = Deadline(watched, lambda: fired.append(watched.now))  # type: ignore[arg-type]  # a part of a loop
    return watched, deadline, fired


async def test_it_passes_once():
    watched, deadline, fired = made()
    deadline.move(110.0)
    watched.advance(109.9)
    assert fired == []
    watched.advance(200.0)
    assert (fired, deadline.at) == ([110.0], NEVER)


async def test_moving_it_later_again_and_again_makes_no_timers():
    watched, deadline, fired = made()
    for second in range(1000):
        deadline.move(110.0 + second / 1000)
    assert watched.made == 1
    watched.advance(110.9)
    assert (fired, watched.made) == ([], 2)
    watched.advance(111.0)
    assert fired == [110.999]


async def test_moving_it_earlier_replaces_the_timer():
    watched, deadline, fired = made()
    deadline.move(150.0)
    deadline.move(110.0)
    watched.advance(120.0)
    assert (fired, watched.made) == ([110.0], 2)


async def test_a_cleared_one_does_not_pass():
    watched, deadline, fired = made()
    deadline.move(110.0)
    deadline.clear()
    watched.advance(120.0)
    deadline.move(130.0)
    watched.advance(140.0)
    assert fired == [130.0]


async def test_never_is_no_deadline():
    watched, deadline, _ = made()
    deadline.move(NEVER)
    assert watched.made == 0


async def test_a_closed_one_leaves_no_timer():
    watched, deadline, fired = made()
    deadline.close()
    deadline.move(110.0)
    deadline.close()
    watched.advance(120.0)
    assert fired == []


async def test_it_works_on_a_real_loop():
    loop = asyncio.get_running_loop()
    passed = asyncio.Event()
    deadline = Deadline(loop, passed.set)
    deadline.move(loop.time() + 0.001)
    deadline.move(loop.time() + 0.01)
    await asyncio.wait_for(passed.wait(), 5.0)
