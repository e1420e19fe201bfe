"""When requests are due, whether they were sent in time, and how long their answers took. PURE.

Owns: `Answers`, which finds the ends of answers in what a connection receives, and `Tale`, which turns times into what is
reported. Rule: an answer's latency counts from the moment at which its request was *due*, not from that at which it was sent:
who waits for a slow answer before the next request is sent would not see how many the slow moment met (coordinated omission).
"""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\nContent-Length: *([0-9]+)\r\n", re.IGNORECASE)
KEPT_SHARE = 0.99
"""Of the requests that were due, so many must have been sent before the run's end, or it was another rate."""
LATE_SECONDS = 0.001
"""And of a hundred requests 99 must have been sent no later than this, or the latencies are the client's own."""


class BadAnswer(Exception):
    """No whole 200 or 304 with a length."""


class Answers:
    """The answers on one connection, which may come in any pieces, several at once."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._in_body = False

    def feed(self, data: bytes) -> int:
        """How many answers ended in `data`. BadAnswer."""
        ended = 0
        while True:
            if self._in_body:
                if len(data) < self._left:
                    self._left -= len(data)
                    return ended
                data = data[self._left :]
                self._in_body = False
                ended += 1
            data = self._buffer + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return ended
            self._buffer = b""
            self._left = _body_bytes(data, end)
            self._in_body = True
            data = data[end + 4 :]


def _body_bytes(data: bytes, end: int) -> int:
    if data.startswith(b"HTTP/1.1 304"):
        return 0
    length = _LENGTH.search(data, 0, end + 2)
    if length is None or not data.startswith(b"HTTP/1.1 200"):
        raise BadAnswer(data[:60].decode("latin-1"))
    return int(length[1])


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a run. p50, p99, p999: seconds from due to answered. late: seconds from due to sent, the 99th of a hundred.

    kept: what was sent before the end of the run / what was due in it. answered: in all, late ones too.
    """

    due: int
    answered: int
    kept: float
    p50: float
    p99: float
    p999: float
    late: float


class Tale:
    """Times of a run, taken down while it goes on: `count` requests, one each `1 / rate` seconds."""

    def __init__(self, count: int, rate: float) -> None:
        assert count > 0, count
        assert rate > 0, rate
        self.count = count
        self.rate = rate
        self.sent = 0
        self._in_time = 0
        self._took = array("d")
        self._late = array("d")

    def due_by(self, now: float) -> int:
        """How many are due, `now` seconds after the beginning: the first at once."""
        return min(self.count, int(now * self.rate) + 1)

    def due_at(self, number: int) -> float:
        """When the request of that number, from 0, is due: seconds after the beginning."""
        return number / self.rate

    def was_sent(self, now: float) -> int:
        """The next one goes out; its number."""
        number = self.sent
        self.sent += 1
        self._late.append(now - number / self.rate)
        self._in_time += now <= self.count / self.rate
        return number

    def was_answered(self, number: int, now: float) -> None:
        """Its whole answer is here."""
        self._took.append(now - number / self.rate)

    @property
    def is_over(self) -> bool:
        """Whether every request was sent and answered."""
        return len(self._took) == self.count

    def told(self) -> Told:
        """All of it. A request that was not answered by now counts as no answer: `answered` tells."""
        took, late = sorted(self._took), sorted(self._late)
        return Told(
            due=self.count,
            answered=len(took),
            kept=self._in_time / self.count,
            p50=percentile(took, 0.5),
            p99=percentile(took, 0.99),
            p999=percentile(took, 0.999),
            late=percentile(late, 0.99),
        )


def percentile(ordered: list[float], share: float) -> float:
    """The least of them that `share` of all do not exceed; 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
