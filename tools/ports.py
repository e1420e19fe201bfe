"""Ports of 127.0.0.1 for processes that are told theirs, and may be started again on the same.

Owns: `free_ports`, `free_port`, `is_free`. Rule: below those that the system gives to outgoing connections, so that none takes
one between choice and bind; each is given once in a while, and runs side by side rarely meet.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

FIRST_PORT, LAST_PORT = 18_000, 32_000


def free_ports(count: int) -> list[int]:
    """Ports on which nobody has TCP or UDP now and that this process has not given before, until all have been."""
    found: list[int] = []
    while len(found) < count:
        port = next(_PORTS)
        if is_free(port):
            found.append(port)
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Whether a server could have its TCP and its UDP on 127.0.0.1."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _candidates() -> Iterator[int]:
    """Over and over, from a place that depends on the process."""
    ports = range(FIRST_PORT, LAST_PORT)
    start = os.getpid() * 37 % len(ports)
    yield from itertools.cycle([*ports[start:], *ports[:start]])


_PORTS = _candidates()
