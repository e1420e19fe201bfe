"""Equal field lines of many stored responses are one object in memory. PURE.

Owns: `Sharing`. Most lines of a head are the same in thousands of responses (Server, Content-Type, Cache-Control, a Date of the
same second), and each costs some 250 bytes as it comes off the wire. Rules:

* What is shared is found by comparing the whole line, spelling included: nobody can tell a compact head from its original.
* A line is kept here from the second time that it is seen, so that an ETag, which never comes again, takes nobody's place; of
  one name there are `SHARED_OF_NAME` at most, so that a Date that is new every second does not, either; long lines are not.
* What is kept here is bounded and no response's: `max_lines` lines of at most `LINE_LIMIT` bytes, and `MAX_NAMES` names and
  reasons. When it is full, lines that no response has any more leave.
* A compact head has no table of its names: one is made for each look (`Fields.unindexed`). A response with Vary keeps its
  table, since every hit looks into it.
"""

from __future__ import annotations

import sys
from typing import Final

from edge.semantics.message import Fields, Line
from edge.semantics.stored import StoredResponse
from edge.store.codec import LINE_BYTES, index_bytes
from edge.values import replace

LINE_LIMIT: Final = 256
"""Bytes of name and value together."""
SHARED_OF_NAME: Final = 256
MAX_LINES: Final = 4096
MAX_NAMES: Final = 512
NAME_LIMIT: Final = 64
BYTES_A_LINE: Final = 64 * 1024
"""Of the memory tier's capacity, for each line that may be kept here: a hundredth of it is then enough."""
POINTER_BYTES: Final = 8
NAME_BYTES: Final = 40
"""What a name costs beyond its bytes, as an object of its own."""
TABLE_BYTES: Final = 80
"""What an empty dictionary costs; its entries are `index_bytes`."""
_OURS: Final = 4
"""References to a line that no response has: as key and as value here, while it is looked at, and while those are counted."""


def max_lines_for(capacity_bytes: int) -> int:
    """How many lines may be kept beside a memory tier of that capacity."""
    return max(16, min(MAX_LINES, capacity_bytes // BYTES_A_LINE))


class Sharing:
    """The lines and names that are shared."""

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        assert max_lines > 0, max_lines
        self._max_lines = max_lines
        self._lines: dict[Line, Line] = {}
        self._names: dict[bytes, bytes] = {}
        self._of_name: dict[bytes, int] = {}
        self._seen: set[int] = set()
        self._refused = 0

    def __len__(self) -> int:
        """How many lines are kept."""
        return len(self._lines)

    def compact(self, stored: StoredResponse) -> int:
        """Give it an equal head that takes fewer bytes; how many fewer than `resident_bytes` says of it.

        It stays the same object, since who has it at hand knows it by its identity. Its former head is not touched: it may be
        that of an answer under way.
        """
        has_index = bool(stored.nominated)
        lines: list[Line] = []
        saved = 0 if has_index else TABLE_BYTES + index_bytes(len(stored.head.fields.lines))
        for line in stored.head.fields.lines:
            name, value = line
            shared = self._lines.get(line)
            if shared is None and self._admits(line):
                shared = self._lines[line] = line
                self._of_name[name] = self._of_name.get(name, 0) + 1
            if shared is not None:
                saved += len(name) + len(value) + LINE_BYTES - NAME_BYTES - POINTER_BYTES
            elif (same := self._name(name)) is not None:
                saved += len(name) + NAME_BYTES
                shared = same, value
            if not has_index:
                saved += len(name) + NAME_BYTES
            lines.append(line if shared is None else shared)
        fields = Fields(lines) if has_index else Fields.unindexed(lines)
        reason = self._name(stored.head.reason)
        if reason is None:
            reason = stored.head.reason
        else:
            saved += len(reason) + NAME_BYTES
        # The one write to a value in the house: what it says is as before.
        stored.head = replace(stored.head, fields=fields, reason=reason)  # type: ignore[misc]
        return saved

    def _name(self, name: bytes) -> bytes | None:
        """The same name as one object for all, None when there is no room for it."""
        same = self._names.get(name)
        if same is None and len(name) <= NAME_LIMIT and len(self._names) < MAX_NAMES:
            same = self._names[name] = name
        return same

    def _admits(self, line: Line) -> bool:
        """Whether it is to be kept from now on: it was seen before, and there is room."""
        name, value = line
        if len(name) + len(value) > LINE_LIMIT:
            return False
        mark = hash(line)
        if mark not in self._seen:
            if len(self._seen) >= self._max_lines:
                self._seen.clear()
            self._seen.add(mark)
            return False
        if len(self._lines) < self._max_lines and self._of_name.get(name, 0) < SHARED_OF_NAME:
            return True
        return self._swept() and self._of_name.get(name, 0) < SHARED_OF_NAME

    def _swept(self) -> bool:
        """Whether there is room after those have left that nobody has any more; not looked for each time."""
        self._refused += 1
        if self._refused < self._max_lines // 4:
            return False
        self._refused = 0
        self._lines = {line: line for line in self._lines.values() if sys.getrefcount(line) > _OURS}
        self._of_name = {}
        for name, _ in self._lines:
            self._of_name[name] = self._of_name.get(name, 0) + 1
        return len(self._lines) < self._max_lines
