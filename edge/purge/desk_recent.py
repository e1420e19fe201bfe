"""The purges that this node has read of last. PURE.

Owns: `Recent`, fed with every order that comes into force, here or elsewhere. Rules: it is bounded in number and in bytes,
and forgets the oldest; it is a short cut only: what it does not know is looked up in the log.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import assert_never

from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import Everything, Group, Host, Prefix, Selector, Site, Tag, Uri, Variant

MAX_ORDERS = 20_000
MAX_BYTES = 32 * 1024 * 1024
"""As estimated."""
ORDER_BYTES = 700
ITEM_BYTES = 250
"""What an order and a selector occupy beside their texts, measured with CPython 3.11."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A purge that the log has. at: unix seconds. items: how many things. repeated: it was ordered before."""

    id: str
    seq: int
    history: str
    at: float
    items: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """An order and where it stands. seq: in the history of the log that it was read from."""

    order: PurgeOrder
    seq: int
    history: str
    size: int


class Recent:
    """See the module. An id that comes again (its order was sent twice, far apart) is known by its latest place."""

    __slots__ = ("_by_id", "_in_order", "_max_bytes", "_max_orders", "size")

    def __init__(self, max_orders: int = MAX_ORDERS, max_bytes: int = MAX_BYTES) -> None:
        self._max_orders = max_orders
        self._max_bytes = max_bytes
        self._by_id: dict[str, Kept] = {}
        self._in_order: deque[Kept] = deque()
        self.size = 0

    def add(self, order: PurgeOrder, seq: int, history: str) -> None:
        """One that came into force."""
        kept = Kept(order, seq, history, size_of(order))
        self._by_id[order.id] = kept
        self._in_order.append(kept)
        self.size += kept.size
        while len(self._in_order) > self._max_orders or self.size > self._max_bytes:
            gone = self._in_order.popleft()
            self.size -= gone.size
            if self._by_id.get(gone.order.id) is gone:
                del self._by_id[gone.order.id]

    def get(self, order_id: str) -> Kept | None:
        """The order of that id, None = not known here."""
        return self._by_id.get(order_id)

    def __len__(self) -> int:
        return len(self._in_order)


def size_of(order: PurgeOrder) -> int:
    """Bytes that an order occupies, estimated."""
    return ORDER_BYTES + len(order.note) + sum(ITEM_BYTES + _text(item) for item in order.items)


def _text(item: Selector) -> int:
    match item:
        case Uri(authority, target):
            return len(authority.host) + len(target)
        case Variant(uri, fields):
            return _text(uri) + sum(150 + len(name) + len(said) for name, said in fields)
        case Tag(site, tag):
            return len(site) + len(tag)
        case Group(authority, group):
            return len(authority.host) + len(group)
        case Prefix(host, path):
            return len(host) + len(path)
        case Host(host):
            return len(host)
        case Site(site):
            return len(site)
        case Everything():
            return 0
        case _ as never:
            assert_never(never)
