"""`value`: a frozen dataclass for what is made on every request. PURE.

Owns: that one decorator. A frozen dataclass fills its fields by `object.__setattr__`, which takes four times as long as an
assignment: 0.8 us for seven fields, and a request makes a dozen such values. So the type checker, which looks at every line
that could write to one, sees a frozen dataclass; what runs is the same with plain slots, hash and equality included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen, slots, eq=True):
        """As `dataclasses.dataclass`; frozen must be said, for the reader and the type checker."""
        assert frozen, "a value is frozen"
        return dataclass(slots=slots, eq=eq, unsafe_hash=eq)


__all__ = ["value"]
