"""All sockets that a node listens on, bound at once or not at all.

Owns: `Doors` and `open_doors`. Rule: each worker has one of each address, in this order: for clients, for clients over TLS,
for other nodes; so that a count of each kind says which is which.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from edge.errors import EdgeError
from edge.server import sockets
from edge.settings.node import NodeSettings


@dataclass(slots=True)
class Doors:
    """groups: of each worker. clients, tls, tier: how many of each kind a worker has. admin: of the node."""

    groups: list[list[socket.socket]]
    clients: int = 0
    tls: int = 0
    tier: int = 0
    admin: list[socket.socket] = field(default_factory=list)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients are served without TLS."""
        return tuple(str(sockets.listening_at(sock)) for sock in self.groups[0][: self.clients])

    def described(self, data_dir: object) -> str:
        """Where everything is, in one line."""
        secure = self.groups[0][self.clients : self.clients + self.tls]
        places = [f"http://{address}" for address in self.addresses]
        places += [f"https://{sockets.listening_at(sock)}" for sock in secure]
        admin = f"http://{sockets.listening_at(self.admin[0])}" if self.admin else "off"
        count = len(self.groups)
        workers = "1 worker" if count == 1 else f"{count} workers"
        return f"serving {', '.join(places)} with {workers}; admin {admin}; data in {data_dir}"


async def open_doors(settings: NodeSettings, count: int) -> Doors:
    """Bind for `count` workers. EdgeError when an address cannot be had; then nothing is bound."""
    doors, tier = Doors([[] for _ in range(count)]), settings.tier.listen
    try:
        for kind, addresses in (
            ("clients", settings.listen),
            ("tls", settings.tls.listen),
            ("tier", () if tier is None else (tier,)),
        ):
            before = len(doors.groups[0])
            for address in addresses:
                for group, more in zip(doors.groups, await sockets.bind(address, count), strict=True):
                    group += more
            setattr(doors, kind, len(doors.groups[0]) - before)
        if settings.admin is not None:
            doors.admin = (await sockets.bind(settings.admin, 1))[0]
    except EdgeError:
        for group in doors.groups:
            sockets.close(group)
        raise
    return doors
