"""One place of a worker: the process that fills it, its successor when it dies, and the sockets that stay.

Owns: `Keeper`. Rules: a worker that dies before it ever served ends the whole start, with its reason (a port or a folder
that cannot be had will not be had the next time); one that dies later is replaced. Its sockets stay open meanwhile, so
that nobody is refused; but when its successors keep dying, they are closed until the next try: then new connections go
to the other workers instead of waiting for one that does not come. One that is replaced because somebody wants it did not
die: it says its last numbers, ends, and its successor comes at once.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Clock
from edge.metrics import Counter
from edge.server import sockets
from edge.server.backoff import Backoff
from edge.server.orders import Applied, Drain, End, Order, Retire, Start
from edge.server.retiring import longest
from edge.server.worker_process import EDGE_WORKER, END_SECONDS, WorkerProcess

START_SECONDS = 60.0
"""How long one that replaces another may take to serve."""

PATIENCE_SECONDS = 1.0
"""How long connections wait in the backlog of a worker that is gone, before they are sent to others."""

RETIRE_GRACE_SECONDS = 2.0
"""What one that is replaced may take beyond `retiring.longest` to say that it has no clients any more."""

_log = logging.getLogger("perigee.supervisor")


class Group(Protocol):
    """Who is told which of a worker's sockets listen (edge.server.steering)."""

    def holds(self, worker: int, held: Sequence[socket.socket]) -> None:
        """What it has, now and later."""

    def left(self, worker: int) -> None:
        """They were closed."""

    def joined(self, worker: int, group: int) -> None:
        """One is there again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be said of a worker. pid: None between two lives. uptime: seconds."""

    index: int
    pid: int | None
    uptime: float
    restarts: int
    served: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went. clean: its last process ended as it was told to. why: it never served, and this is why."""

    clean: bool
    why: str | None = None


class Keeper:
    """Keeps one worker running.

    start: makes the order for each of its lives. held: its sockets, which belong to the keeper from now on. restarts: the
    metric. on_start: called before a process of it is started. on_end: called when it is gone, or could not be started.
    on_applied: told how far it has read the purge log. program: the module that a worker runs. greeting: what a process is told
    once it is there, since it may have changed while it was being started. group: told of its sockets.
    """

    def __init__(
        self,
        index: int,
        start: Callable[[], Start],
        held: Sequence[socket.socket],
        *,
        clock: Clock,
        restarts: Counter,
        on_start: Callable[[int], None] = lambda _index: None,
        on_end: Callable[[int], None] = lambda _index: None,
        on_applied: Callable[[int, Applied], None] = lambda _index, _applied: None,
        program: str = EDGE_WORKER,
        greeting: Callable[[], Sequence[Order]] = tuple,
        group: Group | None = None,
    ) -> None:
        self._program = program
        self.index = index
        self.restarts = 0
        self.served = asyncio.Event()
        """Set when its first process serves."""
        self.drained = asyncio.Event()
        """Set when it has no clients any more, having been told to stop."""
        self._start = start
        self._held = list(held)
        self._addresses = [(sock.family, sock.getsockname(), sock.type) for sock in held]
        self._clock = clock
        self._counter = restarts
        self._on_start = on_start
        self._on_end = on_end
        self._on_applied = on_applied
        self._greeting = greeting
        self._backoff = Backoff()
        self._process: WorkerProcess | None = None
        self._parting: list[Drain | End] = []
        """Orders after which there is no successor."""
        self._wake = asyncio.Event()
        self._retires = False
        """Whether the process that there is ends since it is replaced."""
        self._retired = asyncio.Event()
        """Set when it has no clients any more, and when it has ended."""
        self._heir: asyncio.Future[str | None] | None = None
        """Of who waits for the next process: None = it serves, else why it does not."""
        self._group = group
        if group is not None:
            group.holds(index, self._held)

    def seen(self) -> Seen:
        """Now."""
        process = self._process
        uptime = 0.0 if process is None else self._clock.mono() - process.since
        served = process is not None and process.is_ready
        return Seen(self.index, None if process is None else process.pid, uptime, self.restarts, served)

    def send(self, order: Order) -> None:
        """Tell the worker, if there is one: the next reads everything anew by itself."""
        if self._process is not None:
            self._process.send(order)

    def stop(self, seconds: float) -> None:
        """Drain it, and no successor; then it waits for `end`."""
        self._part(Drain(seconds))

    def end(self) -> None:
        """End it now, whatever is under way."""
        self._part(End())

    async def replace(self, seconds: float, farewell: Callable[[], Awaitable[None]]) -> str | None:
        """Have it end when its clients are done (`Retire`), and another take its place. None = that one serves; else why not.

        farewell: awaited when it is about to end. To be called when it serves, once at a time.
        """
        heir: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._heir = heir
        self._retires = self._process is not None
        try:
            if self._retires:
                self._retired.clear()
                self.send(Retire(seconds))
                await self._retirement(seconds, farewell)
            async with asyncio.timeout(START_SECONDS):
                return await heir
        except TimeoutError:
            return f"worker {self.index} does not serve after {START_SECONDS:g} s"
        finally:
            self._heir = None

    async def _retirement(self, seconds: float, farewell: Callable[[], Awaitable[None]]) -> None:
        """Until the process that there is has ended."""
        try:
            async with asyncio.timeout(longest(seconds) + RETIRE_GRACE_SECONDS):
                await self._retired.wait()
            if self._retires:
                await farewell()
            if self._retires:
                self._retired.clear()
                self.send(End())
                async with asyncio.timeout(END_SECONDS):
                    await self._retired.wait()
        except TimeoutError:
            if self._retires:
                self.kill()

    async def next_serves(self) -> bool:
        """Wait until it serves again; False when it does not in START_SECONDS, and when it is stopped."""
        while not self.seen().served:
            if self._parting:
                return False
            heir: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            self._heir = heir
            try:
                async with asyncio.timeout(START_SECONDS):
                    await heir
            except TimeoutError:
                return False
            finally:
                self._heir = None
        return True

    def _said_of_heir(self, why: str | None) -> None:
        if self._heir is not None and not self._heir.done():
            self._heir.set_result(why)

    def _part(self, order: Drain | End) -> None:
        self._parting.append(order)
        self._said_of_heir("the node is stopping")
        if self._process is not None and self._process.is_dry:
            self.drained.set()
        self._wake.set()
        sockets.close(self._held)
        self.send(order)

    def kill(self) -> None:
        """End it by force."""
        if self._process is not None:
            self._process.kill()

    async def run(self) -> Outcome:
        """Until it is stopped, or never served."""
        try:
            return await self._run()
        finally:
            self.drained.set()

    async def _run(self) -> Outcome:
        while not self._parting:
            if not self._renew():
                await self._pause(0.0)
                continue
            self._on_start(self.index)
            try:
                process = await WorkerProcess.spawn(
                    self._start(), self._held, since=self._clock.mono(), program=self._program
                )
            except OSError as error:  # no memory, no process, no descriptor to be had
                self._on_end(self.index)
                _log.error("worker cannot be started", extra={"worker": self.index, "error": str(error)})
                self._said_of_heir(f"worker {self.index} cannot be started: {error}")
                if not self.served.is_set():
                    return Outcome(clean=False, why=f"worker {self.index} cannot be started: {error}")
                await self._pause(0.0)
                continue
            self._process = process
            for order in (*self._greeting(), *self._parting):
                process.send(order)  # it may have come while the process was being started
            code = await process.ended(self._serves, self._has_drained, self._has_applied)
            self._process = None
            self._on_end(self.index)
            self._retired.set()
            if self._parting:
                return Outcome(clean=code == 0)
            why = process.detail or f"worker {self.index} {_said(code)} before it served"
            if not self.served.is_set():
                return Outcome(clean=False, why=why)
            retires, self._retires = self._retires, False
            if retires and code == 0:
                continue
            self._mourn(process, code)
            if not retires:
                self._said_of_heir(why)
                await self._pause(self._clock.mono() - process.since)
        return Outcome(clean=True)

    def _serves(self) -> None:
        self.served.set()
        self._said_of_heir(None)

    def _has_drained(self, cut: int) -> None:
        """Together with the others, when they all are to end; alone where somebody told this worker only."""
        if cut:
            _log.warning("connections were cut", extra={"worker": self.index, "connections": cut})
        if self._parting:
            self.drained.set()
        elif self._retires:
            self._retired.set()
        else:
            self.send(End())

    def _has_applied(self, applied: Applied) -> None:
        self._on_applied(self.index, applied)

    def _mourn(self, process: WorkerProcess, code: int) -> None:
        self.restarts += 1
        self._counter.value += 1
        _log.error(
            "worker ended; it is started again",
            extra={
                "worker": self.index,
                "pid": process.pid,
                "how": _said(code),
                "detail": process.detail or "",
            },
        )

    async def _pause(self, lived: float) -> None:
        pause = self._backoff.pause(lived)
        if sockets.SPREADS and pause > PATIENCE_SECONDS:
            sockets.close(self._held)
            self._held.clear()
            if self._group is not None:
                self._group.left(self.index)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return

    def _renew(self) -> bool:
        """Open the sockets again if they had to be closed. False = they cannot be had now."""
        try:
            while len(self._held) < len(self._addresses):
                self._held.append(sockets.join(*self._addresses[len(self._held)]))
                if self._group is not None:
                    self._group.joined(self.index, len(self._held) - 1)
        except OSError as error:
            _log.error("cannot listen again", extra={"worker": self.index, "error": error.strerror or ""})
            return False
        return True


def _said(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
