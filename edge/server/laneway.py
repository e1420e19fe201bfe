"""One client connection's way through the lane: asked first when nothing is under way on it (edge.lane).

Owns: `Laneway`. It writes and counts what the lane finds, within the same bounds as the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.lane import Lane
from edge.server.sending import Sending
from edge.wire.request import ParsedRequest

if TYPE_CHECKING:
    from edge.server.listener import Listener


class Laneway:
    """See the module. peer: the connection's other end."""

    __slots__ = ("_epoch", "_lane", "_listener", "_peer", "_sending", "_side")

    def __init__(self, lane: Lane, listener: Listener, peer: str, sending: Sending) -> None:
        self._lane = lane
        self._listener = listener
        self._peer = peer
        self._sending = sending
        self._epoch, self._side = -1, 0

    def answers(self, data: bytes, requests: int) -> bool:
        """Whether `data`, all that the client sent, was answered. requests: how many were before, on this connection."""
        lane, listener, sending = self._lane, self._listener, self._sending
        limits, clock = listener.limits, listener.clock_mono
        if self._epoch != lane.epoch:
            self._epoch, self._side = lane.epoch, lane.side(self._peer, listener.scheme)
        if requests + 1 >= limits.requests_per_connection or listener.draining or sending.is_paused:
            return False  # the long way says "Connection: close", or waits
        started = clock()
        hit = lane.find(data, self._side, started)
        if hit is None:
            return False
        body = hit[1]
        size = len(body)
        if size > limits.write_buffer:
            return False
        sending.hit(hit[0].whole, body)
        listener.lane_answers.value += 1
        listener.recorder.record_hit(self._peer, hit, size, clock() - started)
        return True

    def learn(self, head: bytes, request: ParsedRequest) -> None:
        """The long way answered `request` from memory, whose bytes are `head`."""
        if self._epoch == self._lane.epoch:
            self._lane.learn(head, request, self._side)
