"""One message, and one question that waits for an answer.

Owns: `Said`, `Question`. Rules: an answer may have several parts, and each has its time to come; a question ends once, with
an answer or with a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from edge.bus.faults import BusFault, BusSilent, NobodyThere
from edge.values import value


@value(frozen=True, slots=True)
class Said:
    """A message. headers: {} = none. status: of an answer without content, as HTTP's: 404, 503; "" = it is a message."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    status: str = ""


Take = Callable[[Said], bool]
"""Told each part of an answer; True = that was the last."""


class Question:
    """A question under way. within: seconds that each part of the answer may take."""

    def __init__(self, subject: str, take: Take, within: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._subject = subject
        self._take = take
        self._within = within
        self._heard_at = self._loop.time()
        self.done: asyncio.Future[None] = self._loop.create_future()
        # Not asyncio.timeout: nats-py swallows a cancellation now and then, and then nothing would end the wait.
        self._timer = self._loop.call_later(within, self._look)

    def heard(self, said: Said) -> None:
        """A part of the answer came."""
        if self.done.done():
            return
        if said.status == "503":
            self.fail(NobodyThere(f"nobody answers to {self._subject}"))
            return
        self._heard_at = self._loop.time()
        if self._take(said):
            self.done.set_result(None)

    def fail(self, fault: BusFault) -> None:
        """There will be no more."""
        if not self.done.done():
            self.done.set_exception(fault)

    def close(self) -> None:
        """Whoever asked is gone."""
        self._timer.cancel()
        if self.done.done() and not self.done.cancelled():
            self.done.exception()  # looked at, so that nobody is told that it was not

    def _look(self) -> None:
        left = self._heard_at + self._within - self._loop.time()
        if left > 0.0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self.fail(BusSilent(f"no answer to {self._subject} within {self._within:g} s"))
