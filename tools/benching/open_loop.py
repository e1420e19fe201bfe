"""A client that sends on a schedule: `python -m tools.benching.open_loop PORT HEADS RATE CONNECTIONS SECONDS`.

Owns: the sockets and the clock of the constant-rate row; what it saw goes to standard output as one line of JSON. wrk cannot do
this: its connections ask again when they have their answer. Rules: the process has a core for itself and never sleeps, since a
timer that rings late is latency of ours; each request takes a connection on which nothing is under way, and where there is none
is sent behind another one (pipelined), so that no answer holds up what is due; nothing is dropped.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import json
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from tools.benching.pacing import Answers, BadAnswer, Tale

DRAIN_SECONDS = 5.0
"""What late answers get after the last request was due."""
_PIECE = 256 * 1024


class _Connection:
    """One connection. under_way: numbers of requests without an answer, in order. unsent: what the kernel did not take."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.answers = Answers()
        self.under_way: deque[int] = deque()
        self.unsent = b""

    def send(self, data: bytes) -> None:
        """Now, or as soon as the kernel takes it."""
        if data or self.unsent:
            data = self.unsent + data
            try:
                self.unsent = data[self.sock.send(data) :]
            except BlockingIOError:
                self.unsent = data


def drive(port: int, heads: list[bytes], *, rate: int, connections: int, seconds: float) -> Tale:
    """Send `rate` requests a second for so long, and wait a while for what is still under way. BadAnswer, OSError."""
    tale = Tale(max(1, round(rate * seconds)), rate)
    opened = [_Connection(port) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for one in opened:
            selector.register(one.sock, selectors.EVENT_READ, one)
        try:
            _keep_on(tale, opened, selector, itertools.cycle(heads))
        finally:
            for one in opened:
                one.sock.close()
    return tale


def _keep_on(
    tale: Tale, opened: list[_Connection], selector: selectors.BaseSelector, heads: Iterator[bytes]
) -> None:
    idle, turns, stuck = deque(opened), itertools.cycle(opened), set[_Connection]()
    began = time.perf_counter()
    until = tale.due_at(tale.count) + DRAIN_SECONDS
    while not tale.is_over:
        now = time.perf_counter() - began
        if now > until:
            return
        for _ in range(tale.due_by(now) - tale.sent):
            one = idle.popleft() if idle else next(turns)
            one.under_way.append(tale.was_sent(time.perf_counter() - began))
            one.send(next(heads))
            if one.unsent:
                stuck.add(one)
        for one in list(stuck):
            one.send(b"")
            if not one.unsent:
                stuck.discard(one)
        for key, _ in selector.select(0):
            _receive(key.data, tale, idle, began)


def _receive(one: _Connection, tale: Tale, idle: deque[_Connection], began: float) -> None:
    data = one.sock.recv(_PIECE)
    if not data:
        raise BadAnswer("a connection was closed")
    ended = one.answers.feed(data)
    now = time.perf_counter() - began
    for _ in range(ended):
        if not one.under_way:
            raise BadAnswer("an answer to no request")
        tale.was_answered(one.under_way.popleft(), now)
    if ended and not one.under_way:
        idle.append(one)


def main() -> None:
    """As the command line says."""
    port, heads, rate, connections, seconds = sys.argv[1:]
    gc.disable()  # nothing here forms rings, and a pause of ours would be taken for the server's
    try:
        tale = drive(
            int(port),
            Path(heads).read_bytes().split(b"\0"),
            rate=int(rate),
            connections=int(connections),
            seconds=float(seconds),
        )
    except (BadAnswer, OSError) as fault:
        raise SystemExit(f"open_loop: {fault}") from None
    print(json.dumps(dataclasses.asdict(tale.told())))


if __name__ == "__main__":
    main()
