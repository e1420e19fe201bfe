"""Listening sockets: bound once, by the supervisor, and kept while workers come and go.

Owns: `bind` and `Sockets`. Rules:
* Each worker has sockets of its own, in one SO_REUSEPORT group per address, so that the kernel spreads connections and
  no worker wakes for another's. Where that option does not spread (all systems but Linux) the workers share one.
* The supervisor keeps every socket open, so that a worker that dies loses the connections it had and no others: those
  that come meanwhile wait in the backlog for its successor.
* SO_REUSEPORT would also let a second Perigee of the same user onto our port in silence. So a plain bind comes first,
  which fails while anybody listens.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Sequence

from edge.errors import EdgeError
from edge.settings.node import ListenAddress

BACKLOG = 4096
"""Connections that wait to be accepted; the kernel caps it at net.core.somaxconn (4096 since Linux 5.4)."""

SPREADS = sys.platform == "linux"
"""Whether SO_REUSEPORT spreads connections over the sockets of a group."""

IN_USE_SECONDS = 2.0
"""How long an address may be in use by processes that are just ending."""

_LOOK_AGAIN_SECONDS = 0.05


async def bind(
    address: ListenAddress,
    count: int,
    *,
    patience: float = IN_USE_SECONDS,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> list[list[socket.socket]]:
    """`count` times the listening sockets for an address: a name may have several IP addresses.

    kind: SOCK_DGRAM for UDP, where being bound is all. patience: seconds for which it may be in use. EdgeError when it cannot
    be had, with the reason.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise EdgeError(f"cannot listen on {address}: {error.strerror or error}") from None
    deadline = loop.time() + patience
    while True:
        groups: list[list[socket.socket]] = []
        try:
            for family, _, _, _, where in dict.fromkeys(found):
                groups.append(_group(family, where, count, kind))
            return [list(each) for each in zip(*groups, strict=True)]
        except OSError as error:
            for group in groups:
                close(group)
            if error.errno != errno.EADDRINUSE or loop.time() > deadline:
                raise EdgeError(f"cannot listen on {address}: {_why(error)}") from None
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def close(sockets: Sequence[socket.socket]) -> None:
    """Close them all."""
    for sock in sockets:
        sock.close()


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the address is in use; end what listens there, or write another port"
    if error.errno == errno.EACCES:
        return "this user may not; write a port above 1023, or give the right (CAP_NET_BIND_SERVICE)"
    return error.strerror or str(error)


def _group(
    family: int, where: tuple[object, ...], count: int, kind: socket.SocketKind
) -> list[socket.socket]:
    """`count` sockets on one address."""
    probe = _bound(family, where, kind, shared=False)
    if not SPREADS:
        return [probe, *(probe.dup() for _ in range(count - 1))]
    where = (where[0], probe.getsockname()[1], *where[2:])
    probe.close()
    group: list[socket.socket] = []
    try:
        for _ in range(count):  # one by one: those before a fault are to be closed
            group.append(_bound(family, where, kind, shared=True))  # noqa: PERF401
    except OSError:
        close(group)
        raise
    return group


def _bound(family: int, where: tuple[object, ...], kind: socket.SocketKind, *, shared: bool) -> socket.socket:
    """It listens where it can, unless it is the probe of a group to be made."""
    sock = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:  # for UDP it would let two servers share a port in silence
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        if kind is socket.SOCK_STREAM and (shared or not SPREADS):
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def join(
    family: int, where: tuple[object, ...], kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    """One more socket of a group that was there before. where: `getsockname` of one of them. OSError."""
    return _bound(family, where, kind, shared=True)


def listening_at(sock: socket.socket) -> ListenAddress:
    """Where a socket is."""
    host, port = sock.getsockname()[:2]
    return ListenAddress(host, port)
