"""What was decided and is not on the disk yet, as a look-up must see it. PURE.

Owns: the operations that are written behind, and `Pending`. Rules:
* What waits is newer than what the disk holds: a look-up sees the disk through it. A response that waits is found, one
  that waits to be dropped is not, nor is anything under a key that waits to be deleted.
* An operation that failed is owed: its key stays hidden until it has been deleted from the disk. So a disk that fails
  brings nothing back. Beyond the bound on what is owed by invalidations all of the disk is hidden until it was emptied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from edge.semantics.stored import Nominated, StoredResponse
from edge.values import value

V = TypeVar("V")
MAX_OWED = 65_536
"""Keys owed by invalidations, and again as many by failed writes: some 10 MB each."""


@value(frozen=True, slots=True, eq=False)
class Put:
    """Store a response. cost: bytes it counts for while it waits, 0 = to be reckoned."""

    stored: StoredResponse
    body: bytes
    cost: int = 0

    @property
    def key(self) -> bytes:
        """Whose."""
        return self.stored.key


@dataclass(frozen=True, slots=True, eq=False)
class Rehead:
    """Replace a head (304), if the variant still has that body."""

    stored: StoredResponse

    @property
    def key(self) -> bytes:
        """Whose."""
        return self.stored.key


@dataclass(frozen=True, slots=True, eq=False)
class DropBody:
    """Drop a variant, if it still has that body."""

    key: bytes
    nominated: Nominated
    body_id: bytes


@dataclass(frozen=True, slots=True, eq=False)
class DropVariant:
    """Drop a variant, whatever it is: what replaces it could not be written."""

    key: bytes
    nominated: Nominated


@dataclass(frozen=True, slots=True, eq=False)
class DropUnreadable:
    """Drop a row that says nothing to us, if it still does not. variant: its digest."""

    key: bytes
    variant: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Delete:
    """Drop a key."""

    key: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Something else that has its place among the operations of a key. run: in the writing thread, never raises."""

    key: bytes
    run: Callable[[], None]


Operation = Put | Rehead | DropBody | DropVariant | DropUnreadable | Delete | Call


@dataclass(slots=True)
class _Newest:
    """What a variant is once `by` is carried out. stored: None = nothing. body: None = it is on the disk."""

    by: Operation
    stored: StoredResponse | None
    body: bytes | None = None

    def has(self, body_id: bytes) -> bool:
        return self.stored is not None and self.stored.body_id == body_id


@dataclass(slots=True)
class _Key:
    """Operations that wait for one key."""

    operations: int = 0
    deletes: int = 0
    newest: dict[Nominated, _Newest] = field(default_factory=dict)
    gone: dict[bytes, int] = field(default_factory=dict)
    """Bodies that wait to be dropped, and how often."""


class Pending:
    """The operations under way of one worker, by key."""

    def __init__(self, max_owed: int = MAX_OWED) -> None:
        self.emptyings = 0
        """How often it was decided that all of the disk goes, since it last went; see `paid_all`."""
        self._max_owed = max_owed
        self._keys: dict[bytes, _Key] = {}
        self._owed: dict[bytes, None] = {}
        self._superseded: dict[bytes, None] = {}

    # -- what happens --

    def add(self, operation: Operation) -> Operation:
        """It waits from now on. What is to be carried out is returned: mostly, but not always, `operation`."""
        held = self._keys.get(operation.key)
        if held is None:
            held = self._keys[operation.key] = _Key()
        if isinstance(operation, DropBody):
            newest = held.newest.get(operation.nominated)
            if newest is not None and newest.has(operation.body_id):
                # What lies below it on the disk is older still.
                operation = DropVariant(operation.key, operation.nominated)
        held.operations += 1
        if type(operation) is Put:  # nearly all are
            held.newest[operation.stored.nominated] = _Newest(operation, operation.stored, operation.body)
            return operation
        match operation:
            case Rehead(stored):
                self._rehead(held, operation, stored)
            case DropBody(_, _, body_id):
                held.gone[body_id] = held.gone.get(body_id, 0) + 1
            case DropVariant(_, nominated):
                held.newest[nominated] = _Newest(operation, None)
            case Delete():
                held.deletes += 1
                held.newest.clear()
            case _:
                pass
        return operation

    @staticmethod
    def _rehead(held: _Key, operation: Rehead, stored: StoredResponse) -> None:
        newest = held.newest.get(stored.nominated)
        if newest is not None:
            if newest.has(stored.body_id):
                newest.by, newest.stored = operation, stored
        elif not held.deletes and stored.body_id not in held.gone:
            held.newest[stored.nominated] = _Newest(operation, stored)

    def done(self, operation: Operation) -> None:
        """It was carried out, or has failed (see `owe`). operation: what `add` returned."""
        held = self._keys[operation.key]
        match operation:
            case Put(stored) | Rehead(stored):
                self._no_longer(held, operation, stored)
            case DropVariant(_, nominated):
                newest = held.newest.get(nominated)
                if newest is not None and newest.by is operation:
                    del held.newest[nominated]
            case DropBody(_, _, body_id):
                held.gone[body_id] -= 1
                if not held.gone[body_id]:
                    del held.gone[body_id]
            case Delete():
                held.deletes -= 1
            case _:
                pass
        held.operations -= 1
        if not held.operations:
            del self._keys[operation.key]

    @staticmethod
    def _no_longer(held: _Key, operation: Put | Rehead, stored: StoredResponse) -> None:
        newest = held.newest.get(stored.nominated)
        if newest is None or not newest.has(stored.body_id):
            return
        if newest.by is operation:
            del held.newest[stored.nominated]
        elif isinstance(operation, Put):
            newest.body = None

    def owe(self, key: bytes, *, must: bool) -> None:
        """Hide `key` until it was deleted. must: an invalidation asked for it, else the oldest is let off at the bound."""
        owed = self._owed if must else self._superseded
        owed[key] = None
        if len(owed) > self._max_owed:
            if must:
                self.owe_all()
            else:
                del owed[next(iter(owed))]

    def owe_all(self) -> None:
        """Hide everything until the disk was emptied."""
        self.emptyings += 1
        self._owed.clear()
        self._superseded.clear()

    def owed(self, most: int) -> tuple[bytes, ...]:
        """Up to `most` keys to be deleted; see also `emptyings`."""
        keys = (*self._owed, *self._superseded) if self._owed or self._superseded else ()
        return keys[:most]

    def paid(self, keys: Iterable[bytes]) -> None:
        """They were deleted."""
        for key in keys:
            self._owed.pop(key, None)
            self._superseded.pop(key, None)

    def paid_all(self, emptyings: int) -> None:
        """The disk was emptied. emptyings: as it was when that began; decided again meanwhile, it is owed again."""
        if self.emptyings == emptyings:
            self.emptyings = 0

    # -- what is seen --

    def waits(self, key: bytes) -> bool:
        """True when anything is under way for `key`."""
        return key in self._keys

    def keys(self) -> list[bytes]:
        """Those for which anything is under way, as of now."""
        return list(self._keys)

    def is_hidden(self, key: bytes) -> bool:
        """True when nothing of what the disk holds for `key` may be seen."""
        held = self._keys.get(key)
        owed = self.emptyings > 0 or key in self._owed or key in self._superseded
        return owed or (held is not None and held.deletes > 0)

    def is_current(self, put: Put) -> bool:
        """False when something newer waits in its place, so that it need not be written."""
        newest = self._keys[put.key].newest.get(put.stored.nominated)
        return newest is not None and newest.has(put.stored.body_id)

    def body(self, stored: StoredResponse) -> bytes | None:
        """The body of a response that waits to be written, None when it does not."""
        held = self._keys.get(stored.key)
        newest = None if held is None else held.newest.get(stored.nominated)
        return newest.body if newest is not None and newest.has(stored.body_id) else None

    def has_responses(self, key: bytes) -> bool:
        """True when a response waits for `key`."""
        held = self._keys.get(key)
        return held is not None and any(newest.body is not None for newest in held.newest.values())

    def seen(self, key: bytes, on_disk: Iterable[StoredResponse]) -> list[StoredResponse]:
        """The responses of `key`, given those that the disk holds: the newest head of each variant."""
        held = self._keys.get(key)
        below = {} if self.is_hidden(key) else {stored.nominated: stored for stored in on_disk}
        if held is None:
            return list(below.values())
        found = []
        for nominated, stored in below.items():
            newest = held.newest.get(nominated)
            if newest is None:
                if stored.body_id not in held.gone:
                    found.append(stored)
            elif newest.body is None and newest.stored is not None and newest.has(stored.body_id):
                found.append(newest.stored)
        waiting = held.newest.values()
        return found + [each.stored for each in waiting if each.body is not None and each.stored is not None]
