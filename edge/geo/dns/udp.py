"""Queries by UDP.

Owns: `UdpServer`, one socket. Rules: many packets a wake-up, since a wake-up costs as much as an answer (asyncio's own datagram
protocol takes three times as long); but no more than `batch`, so that timers and TCP get their turn; nothing is kept: an
answer that the socket does not take at once is dropped and counted, its client asks again.
"""

from __future__ import annotations

import asyncio
import socket

from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.responder import Responder

MAX_QUERY_BYTES = 1500
"""Of which the rest is cut off: a query is 300 octets at most, but for options that nobody knows."""


def packed(host: str) -> bytes:
    """A numeric address from `recvfrom` or `getpeername` as 4 or 16 octets."""
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return socket.inet_aton(host)


class UdpServer:
    """sock: bound, it belongs to the server from now on. batch: packets answered in one go."""

    def __init__(
        self, sock: socket.socket, responder: Responder, *, batch: int, measures: DnsMeasures
    ) -> None:
        self.batch = batch
        self._sock = sock
        self._responder = responder
        self._queries = measures.queries.of("udp")
        self._unsent = measures.dropped.of("unsent")
        self._pack = socket.inet_aton if sock.family == socket.AF_INET else packed
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Answer from now on, on the running loop."""
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._answer_some)

    def close(self) -> None:
        """Answer what has come already, and end; any number of times."""
        if self._loop is not None:
            self._loop.remove_reader(self._sock.fileno())
            self._loop = None
            self._answer_some()
            self._sock.close()

    def _answer_some(self) -> None:
        responder, sock, pack = self._responder, self._sock, self._pack
        receive, send, answer = sock.recvfrom, sock.sendto, responder.by_udp
        responder.tick()
        for taken in range(self.batch):
            try:
                query, where = receive(MAX_QUERY_BYTES)
            except BlockingIOError:
                self._queries.value += taken
                return
            except OSError:
                continue  # what an earlier answer met on its way (ICMP)
            made = answer(query, pack(where[0]))
            if made is not None:
                try:
                    send(made, where)
                except OSError:
                    self._unsent.value += 1
        self._queries.value += self.batch
