"""The workers of one first process, together; and the signals that it listens to.

Owns: `Crew`: all keepers from their start to their end; and `handled`. What is done in between, and how much a worker may
finish before it ends, is the supervisor's that has the crew.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from edge.errors import EdgeError
from edge.server.keeper import Keeper, Outcome, Seen
from edge.server.orders import Order
from edge.tasks import TaskOwner

END_SECONDS = 5.0
"""What a worker may take to end, writing what waits to be written."""


class Crew:
    """The keepers of all workers; () = none is there yet, they can be set until `start`. stopped: set when they are to end."""

    def __init__(self, stopped: asyncio.Event, keepers: Sequence[Keeper] = ()) -> None:
        self.keepers = keepers
        self._stopped = stopped
        self._lives: list[asyncio.Task[Outcome]] = []

    def start(self, tasks: TaskOwner) -> None:
        """Start the workers, in tasks of `tasks`."""
        self._lives = [tasks.spawn(each.run(), name=f"worker-{each.index}") for each in self.keepers]

    async def live(self, tasks: TaskOwner, on_served: Callable[[], None]) -> None:
        """Until they are to end. on_served: called once all of them serve. EdgeError when one never will."""
        stop = tasks.spawn(self._stopped.wait(), name="stop")
        serving = tasks.spawn(self._all_serve(), name="start")
        await asyncio.wait((serving, stop, *self._lives), return_when=asyncio.FIRST_COMPLETED)
        if not stop.done() and serving.done():
            on_served()
            await asyncio.wait((stop, *self._lives), return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            ends = [life.result() for life in self._lives if life.done()]
            raise EdgeError(next(end.why for end in ends if end.why is not None))

    async def _all_serve(self) -> None:
        for keeper in self.keepers:
            await keeper.served.wait()

    async def all_drained(self) -> None:
        """Until none has clients any more."""
        for keeper in self.keepers:
            await keeper.drained.wait()

    def tell(self, order: Order) -> None:
        """Tell every worker that there is."""
        for keeper in self.keepers:
            keeper.send(order)

    def seen(self) -> list[Seen]:
        """All of them, now."""
        return [keeper.seen() for keeper in self.keepers]

    def end(self) -> None:
        """Ask them to end now, whatever is under way."""
        for keeper in self.keepers:
            keeper.end()

    async def kill(self) -> None:
        """End what is left: by asking, and if that does not help, by force. Only for a crew that was started."""
        self.end()
        await asyncio.wait(self._lives, timeout=END_SECONDS)
        for keeper in self.keepers:
            keeper.kill()
        await asyncio.wait(self._lives)

    @property
    def code(self) -> int:
        """How all of them ended, for the exit: 0 = as they should, 1 = one had to be killed or failed."""
        return 0 if all(life.exception() is None and life.result().clean for life in self._lives) else 1


@contextmanager
def handled(handlers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Signals are for these, on the running loop, and for nobody afterwards."""
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
