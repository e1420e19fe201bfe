"""`value` and `replace`: frozen dataclasses for what is made on every request. PURE.

Owns: that decorator, and the same as `dataclasses.replace` for what it decorates. A frozen dataclass fills its fields by
`object.__setattr__`, which takes four times as long as an assignment: 0.8 us for seven fields, and a request makes a dozen
such values. So the type checker, which looks at every line that could write to one, sees a frozen dataclass; what runs is
the same with plain slots, hash and equality included. A copy with some fields replaced costs a quarter for the same reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
    from dataclasses import replace
else:
    from dataclasses import dataclass, fields
    from functools import cache
    from operator import attrgetter

    def value(*, frozen, slots, eq=True):
        """As `dataclasses.dataclass`; frozen must be said, for the reader and the type checker."""
        assert frozen, "a value is frozen"
        return dataclass(slots=slots, eq=eq, unsafe_hash=eq)

    def replace(old, /, **changes):
        """A copy of a `value` with these fields changed. AttributeError for what is no field, or no `value`."""
        made = type(old)(*_all_of(type(old))(old))
        for name, new in changes.items():
            setattr(made, name, new)
        return made

    @cache
    def _all_of(kind):
        names = [each.name for each in fields(kind)]
        assert len(names) > 1, f"{kind} has nothing to keep"
        return attrgetter(*names)


__all__ = ["replace", "value"]
