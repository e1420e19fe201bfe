"""What a declared setting is, and how values of many become one frozen model. PURE.

Owns: `Setting`, `Order`, `Schema`. Rules: a setting is declared once: its path in the file, its kind (type, unit, bounds),
where its value goes in the model, why it is there, and whether a reload can change it; its default is the model's own. A
default gives way to what is written: a cap that is written lowers the default below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from edge.settings.kinds import Kind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    M = TypeVar("M", bound=DataclassInstance)
else:
    M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. path: dotted, as in the file."""

    path: str
    kind: Kind[object]
    into: str
    """Attribute of the model, dotted; several, separated by blanks, take the parts of a tuple; "" = the default is None,
    and whoever builds the model takes the value."""
    why: str
    """For the operator: what it does, and why the default and the bounds are what they are. One or more sentences."""
    restart: bool = False
    """Whether a change counts only after a restart."""
    roll: bool = False
    """With `restart`: whether a restart of the workers, one after the other, is enough: it is a matter of each by itself."""
    secret: bool = False
    """Whether { env = "NAME" } may be written instead of a text in it."""

    @property
    def steps(self) -> tuple[str, ...]:
        """The path as keys."""
        return tuple(self.path.split("."))


@dataclass(frozen=True, slots=True)
class Order:
    """Two settings of which the first must not be more than the second."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Disorder:
    """An order that does not hold. blamed: the path that was written and is to be changed."""

    order: Order
    blamed: str


class Schema(Generic[M]):
    """All settings of one kind of file. model: the values that hold where nothing is written."""

    def __init__(
        self,
        model: M,
        settings: tuple[Setting, ...],
        *,
        tables: Mapping[str, str],
        orders: tuple[Order, ...] = (),
        required: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self.settings = {setting.path: setting for setting in settings}
        assert len(self.settings) == len(settings), "a setting is declared twice"
        self.tables = tables
        """Path of every table to what the reference says about it, in the order of the page; "" is the top."""
        self.orders = orders
        self.required: Mapping[str, str] = required or {}
        """Path of each setting that must be written, to an example of it."""
        assert all({order.low, order.high} <= self.settings.keys() for order in orders), (
            "an order of unknown settings"
        )

    def default(self, path: str) -> object:
        """The value where nothing is written."""
        setting = self.settings[path]
        if not setting.into:
            return None
        parts = tuple(attrgetter(target)(self.model) for target in setting.into.split())
        return parts[0] if len(parts) == 1 else parts

    def children(self, table: str) -> Iterator[str]:
        """The names that may stand in a table: its settings and the tables below it."""
        within = f"{table}." if table else ""
        names = (*self.settings, *self.tables)
        yield from dict.fromkeys(
            path.removeprefix(within).split(".")[0] for path in names if path and path.startswith(within)
        )

    def settle(self, written: Mapping[str, object]) -> tuple[dict[str, object], tuple[Disorder, ...]]:
        """What is written, with defaults that had to give way, and the orders that do not hold."""
        values = dict(written)
        wrong: list[Disorder] = []
        for order in self.orders:
            low, high = (values.get(path, self.default(path)) for path in (order.low, order.high))
            if not isinstance(low, int | float) or not isinstance(high, int | float) or low <= high:
                continue  # one that is off is None
            if order.low not in written:
                values[order.low] = high
            else:
                wrong.append(Disorder(order, order.low))
        return values, tuple(wrong)

    def build(self, values: Mapping[str, object]) -> M:
        """The model with these values put in; those of settings without a place in it are left to the caller."""
        placed: dict[str, object] = {}
        for path, value in values.items():
            targets = self.settings[path].into.split()
            if len(targets) == 1:
                placed[targets[0]] = value
            elif targets:
                placed.update(zip(targets, cast("tuple[object, ...]", value), strict=True))
        return put(self.model, placed)


def put(model: M, placed: Mapping[str, object]) -> M:
    """A copy of a frozen dataclass of frozen dataclasses, with values at dotted attributes."""
    own: dict[str, Any] = {}
    below: dict[str, dict[str, object]] = {}
    for path, value in placed.items():
        name, dot, rest = path.partition(".")
        if dot:
            below.setdefault(name, {})[rest] = value
        else:
            own[name] = value
    for name, inner in below.items():
        own[name] = put(getattr(model, name), inner)
    return replace(model, **own)
