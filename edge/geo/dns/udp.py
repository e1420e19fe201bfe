"""Queries by UDP.

Owns: `UdpServer`, one socket. Rules: many packets a wake-up, since a wake-up costs as much as an answer (asyncio's own datagram
protocol takes three times as long); but no more than `batch`, so that timers and TCP get their turn; nothing is kept: an
answer that the socket does not take at once is dropped and counted, its client asks again. A socket that is bound to a wildcard
sends each answer from the address that was asked (RFC 2181 s4), which costs a quarter more.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.responder import Responder

MAX_QUERY_BYTES = 1500
"""Of which the rest is cut off: a query is 300 octets at most, but for options that nobody knows."""

_IP_PKTINFO = 8
"""Of Linux; Python's socket module has no name for it."""

_TELLS_ADDRESS = sys.platform == "linux"

_Control = list[tuple[int, int, bytes]]


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
        is_wildcard = sock.getsockname()[0] in {"0.0.0.0", "::"}  # noqa: S104  # looked at, not bound
        self._go = self._answer_some
        if is_wildcard and _TELLS_ADDRESS:
            self._go = self._answer_some_by_address
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    def start(self) -> None:
        """Answer from now on, on the running loop."""
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._go)

    def close(self) -> None:
        """Answer what has come already, and end; any number of times."""
        if self._loop is not None:
            self._loop.remove_reader(self._sock.fileno())
            self._loop = None
            self._go()
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

    def _answer_some_by_address(self) -> None:
        """The same, for a wildcard."""
        responder, sock = self._responder, self._sock
        responder.tick()
        for taken in range(self.batch):
            try:
                query, control, _, where = sock.recvmsg(MAX_QUERY_BYTES, 64)
            except BlockingIOError:
                self._queries.value += taken
                return
            except OSError:
                continue
            made = responder.by_udp(query, self._pack(where[0]))
            if made is not None:
                try:
                    sock.sendmsg((made,), _from(control), 0, where)
                except OSError:
                    self._unsent.value += 1
        self._queries.value += self.batch


def _from(control: _Control) -> _Control:
    """What makes an answer come from the address that the query went to; by whichever interface the way back leads."""
    for level, kind, info in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return [(level, kind, bytes(4) + info[4:])]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            is_local = info.startswith(b"\xfe\x80")  # means something on its own interface only
            return [(level, kind, info if is_local else info[:16] + bytes(4))]
    return []
