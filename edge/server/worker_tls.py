"""TLS of one worker: what it was given, and the contexts made of it.

Owns: `WorkerTls`, and both forms in which certificates cross from the supervisor (`certify`, `Parts`). Rules: a worker reads no
certificate, no key and no list of authorities itself: it makes its contexts of what the supervisor read and found good, by the
same code, so that it can come to no other result. Contexts are made in a thread and replaced whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from edge.errors import EdgeError
from edge.metrics import Registry
from edge.server.orders import Certify, Seal
from edge.settings.node import NodeSettings
from edge.tls.contexts import Contexts, Materials, authorities_of
from edge.tls.layout import Material
from edge.tls.measures import TlsMeasures
from edge.tls.pairs import Pair, looked_at
from edge.tls.tickets import TicketSecrets

PART_BYTES = 256 * 1024
"""Of certificates and keys in one order; a part has at least one pair."""


def certify(materials: Materials, *, at_once: bool) -> Iterator[Certify]:
    """The orders by which a worker hears of these."""
    parts: list[list[list[str]]] = [[]]
    size = 0
    for pair in materials.pairs:
        said = pair.material
        size += len(said.chain) + len(said.key)
        if size > PART_BYTES and parts[-1]:
            parts.append([])
            size = len(said.chain) + len(said.key)
        parts[-1].append([said.name, said.file, said.chain.decode("latin-1"), said.key.decode("latin-1")])
    authorities = [[file, content.decode("latin-1")] for file, content in materials.authorities.items()]
    for number, pairs in enumerate(parts, 1):
        more = number < len(parts)
        yield Certify(pairs, () if more else authorities, more, at_once)


class WorkerTls:
    """See the module. registry: where it counts."""

    def __init__(self, registry: Registry) -> None:
        self.measures = TlsMeasures(registry)
        self._coming: list[Material] = []
        self._materials: list[Material] | None = None
        self._pairs: list[Pair] = []
        """Those in force: one that comes again is not looked at again."""
        self._authorities: dict[str, bytes] = {}
        self._secrets: TicketSecrets | None = None
        self._contexts: Contexts | None = None

    @property
    def is_supplied(self) -> bool:
        """Whether it was given all that there is."""
        return self._materials is not None

    def contexts(self) -> Contexts:
        """Those in force."""
        assert self._contexts is not None, "handshakes before there are certificates"
        return self._contexts

    def certify(self, order: Certify) -> bool:
        """Take a part. True when the contexts are to be made anew now."""
        self._coming += [
            Material(name, file, chain.encode("latin-1"), key.encode("latin-1"))
            for name, file, chain, key in order.pairs
        ]
        if order.more:
            return False
        self._materials, self._coming = self._coming, []
        self._authorities = {file: content.encode("latin-1") for file, content in order.authorities}
        return order.at_once

    def seal(self, order: Seal) -> None:
        """New secrets for tickets."""
        former = bytes.fromhex(order.former) if order.former else None
        self._secrets = TicketSecrets(bytes.fromhex(order.current), former)
        self.measures.tickets_shared.value = 1
        if self._contexts is not None:
            self._contexts.take(self._secrets)

    async def renew(self, settings: NodeSettings) -> None:
        """Make the contexts anew, by these settings. EdgeError when what they name was not given."""
        contexts = await asyncio.to_thread(self._made, settings)
        contexts.take(self._secrets)  # on this loop: they may have come while it was made
        self._contexts = contexts

    def _made(self, settings: NodeSettings) -> Contexts:
        missing = set(authorities_of(settings.tls, settings.sites)) - self._authorities.keys()
        if missing or self._materials is None:
            raise EdgeError(f"settings changed while this worker started; not given: {sorted(missing)}")
        had = {pair.material: pair for pair in self._pairs}
        self._pairs = pairs = [had.get(each) or looked_at(each, None) for each in self._materials]
        return Contexts(Materials(pairs, self._authorities), settings.tls, settings.sites)
