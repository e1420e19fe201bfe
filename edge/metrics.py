"""How things are counted.

Owns: the kinds of metric, the registry of a node, snapshots of it, and their sum. What there is to count is declared in
`edge.measures`, once each, with name, unit, help and labels.

Rules. Counting is `cell.value += 1` on a cell that was looked up beforehand: no lock (one loop owns a node), no call,
no string on the hot path; everything else happens on scrape. A registry belongs to one node in one process; several
worker processes are shown as one by `merge` of their snapshots. A family holds at most `MAX_CELLS` combinations of
labels, since label values can come from outside; what is beyond that is counted under "other", so that sums stay right.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NotRequired, TypedDict, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

MAX_CELLS = 2_000
"""Combinations of label values per family: 100 sites times 20 reasons."""

OTHER = "other"
"""The value of every label beyond MAX_CELLS."""

DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: OpenTelemetry's http.server.request.duration, and three finer ones, since a hit takes less than 5 ms."""

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what `exposition` returns."""


class Kind(Enum):
    """What a metric is; the value is Prometheus's word for it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(Enum):
    """How the gauges of several workers become one; counters and histograms are always added."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known about a metric before anything was counted. bounds: a histogram's upper ones, else ()."""

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM
    bounds: tuple[float, ...] = ()


class Counter:
    """One number that only grows: `cell.value += n`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | float = 0


class Gauge:
    """One number that goes both ways: set `cell.value`, or give `source` to read it from on scrape."""

    __slots__ = ("source", "value")

    def __init__(self) -> None:
        self.value: int | float = 0
        self.source: Callable[[], int | float] | None = None

    def read(self) -> int | float:
        """The number now."""
        return self.value if self.source is None else self.source()


class Histogram:
    """How many observations fell below each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation, in the metric's unit."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


Cell = TypeVar("Cell", bound=Counter | Gauge | Histogram)


class Family(Generic[Cell]):
    """All cells of one declared metric."""

    __slots__ = ("_make", "cells", "declaration")

    def __init__(self, declaration: Declaration, make: Callable[[], Cell]) -> None:
        self.declaration = declaration
        self._make = make
        self.cells: dict[tuple[str, ...], Cell] = {}

    def of(self, *values: str) -> Cell:
        """The cell for these label values, in the declared order. Look it up once and keep it where it is hot."""
        cell = self.cells.get(values)
        if cell is None:
            names = self.declaration.labels
            assert len(values) == len(names), f"{self.declaration.name} has labels {names}, not {values}"
            if len(self.cells) >= MAX_CELLS:
                values = (OTHER,) * len(names)
            cell = self.cells.setdefault(values, self._make())
        return cell


class CellSnapshot(TypedDict):
    """One cell. values: its label values. value: of counters and gauges; counts and sum: of histograms."""

    values: list[str]
    value: NotRequired[int | float]
    counts: NotRequired[list[int]]
    sum: NotRequired[float]


class FamilySnapshot(TypedDict):
    """One metric as JSON: its declaration and its cells."""

    kind: str
    help: str
    labels: list[str]
    merge: str
    bounds: list[float]
    cells: list[CellSnapshot]


Snapshot = dict[str, FamilySnapshot]
"""Metric name to family; survives `json.dumps` and `json.loads` unchanged."""


class Registry:
    """The metrics of one node in one process."""

    def __init__(self) -> None:
        self._families: dict[str, Family[Counter] | Family[Gauge] | Family[Histogram]] = {}

    def counter(self, name: str, *, unit: str, help: str, labels: Sequence[str] = ()) -> Family[Counter]:
        """Declare what only grows. name: perigee_<what>[_<unit>]_total."""
        family = Family(Declaration(name, Kind.COUNTER, unit, help, tuple(labels)), Counter)
        self._declare(family)
        return family

    def gauge(
        self, name: str, *, unit: str, help: str, labels: Sequence[str] = (), merge: Merge = Merge.SUM
    ) -> Family[Gauge]:
        """Declare what goes both ways. merge: how several workers' values become one."""
        family = Family(Declaration(name, Kind.GAUGE, unit, help, tuple(labels), merge), Gauge)
        self._declare(family)
        return family

    def histogram(
        self, name: str, *, unit: str, help: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> Family[Histogram]:
        """Declare a distribution. bounds: ascending upper bounds, in `unit`; the last, infinity, is implied."""
        limits = tuple(float(bound) for bound in bounds)
        assert limits == tuple(sorted(set(limits))), f"{name}: bounds must ascend: {limits}"
        declaration = Declaration(name, Kind.HISTOGRAM, unit, help, tuple(labels), bounds=limits)
        family = Family(declaration, lambda: Histogram(limits))
        self._declare(family)
        return family

    def _declare(self, family: Family[Counter] | Family[Gauge] | Family[Histogram]) -> None:
        name, kind, unit = family.declaration.name, family.declaration.kind, family.declaration.unit
        assert name not in self._families, f"{name} is declared twice"
        assert name.startswith("perigee_"), f"{name}: our names start with perigee_"
        assert name.endswith("_total") == (kind is Kind.COUNTER), (
            f"{name}: counters, and only they, end in _total"
        )
        stem = name.removesuffix("_total")
        assert unit not in {"seconds", "bytes"} or stem.endswith(f"_{unit}"), (
            f"{name}: its name must end in {unit}"
        )
        self._families[name] = family
        if not family.declaration.labels:
            family.of()

    def declarations(self) -> tuple[Declaration, ...]:
        """Everything declared, by name."""
        return tuple(self._families[name].declaration for name in sorted(self._families))

    def snapshot(self) -> Snapshot:
        """Every number now, as JSON-able values."""
        taken: Snapshot = {}
        for name, family in self._families.items():
            said = family.declaration
            taken[name] = {
                "kind": said.kind.value,
                "help": said.help,
                "labels": list(said.labels),
                "merge": said.merge.value,
                "bounds": list(said.bounds),
                "cells": [_cell_snapshot(values, cell) for values, cell in family.cells.items()],
            }
        return taken


def _cell_snapshot(values: tuple[str, ...], cell: Counter | Gauge | Histogram) -> CellSnapshot:
    if isinstance(cell, Histogram):
        return {"values": list(values), "counts": list(cell.counts), "sum": cell.sum}
    return {"values": list(values), "value": cell.read() if isinstance(cell, Gauge) else cell.value}


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The snapshots of several workers as one; gauges by their own rule. A worker of another version may lack some."""
    total: Snapshot = {}
    for snapshot in snapshots:
        for name, family in snapshot.items():
            held = total.get(name)
            if held is None:
                total[name] = {**family, "cells": [_copied(cell) for cell in family["cells"]]}
            else:
                _add(held, family)
    return total


def _copied(cell: CellSnapshot) -> CellSnapshot:
    copy: CellSnapshot = {**cell}
    if "counts" in copy:
        copy["counts"] = list(copy["counts"])
    return copy


def _add(total: FamilySnapshot, more: FamilySnapshot) -> None:
    held = {tuple(cell["values"]): cell for cell in total["cells"]}
    rule = Merge(total["merge"])
    for cell in more["cells"]:
        into = held.get(tuple(cell["values"]))
        if into is None:
            total["cells"].append(_copied(cell))
        elif "counts" in cell:
            into["counts"] = [a + b for a, b in zip(into["counts"], cell["counts"], strict=True)]
            into["sum"] += cell["sum"]
        else:
            a, b = into["value"], cell["value"]
            into["value"] = a + b if rule is Merge.SUM else max(a, b) if rule is Merge.MAX else min(a, b)


class SnapshotCollector(Collector):
    """A snapshot (of one worker, or merged) as prometheus-client wants it."""

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take

    def collect(self) -> Iterator[Metric]:
        """One metric family for each declared metric, in order of name."""
        snapshot = self._take()
        for name in sorted(snapshot):
            yield _family(name, snapshot[name])


def _family(name: str, said: FamilySnapshot) -> Metric:
    labels = said["labels"]
    if said["kind"] == Kind.HISTOGRAM.value:
        histogram = HistogramMetricFamily(name, said["help"], labels=labels)
        for cell in said["cells"]:
            histogram.add_metric(cell["values"], _cumulative(said["bounds"], cell["counts"]), cell["sum"])
        return histogram
    family: CounterMetricFamily | GaugeMetricFamily
    if said["kind"] == Kind.COUNTER.value:
        family = CounterMetricFamily(name, said["help"], labels=labels)
    else:
        family = GaugeMetricFamily(name, said["help"], labels=labels)
    for cell in said["cells"]:
        family.add_metric(cell["values"], cell["value"])
    return family


def _cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        below += count
        buckets.append((bound, below))
    return buckets


def exposition(snapshot: Snapshot) -> bytes:
    """The page that Prometheus scrapes (text format, `CONTENT_TYPE`)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(lambda: snapshot))
    return generate_latest(registry)


def flat(snapshot: Snapshot, name: str) -> Mapping[tuple[str, ...], int | float]:
    """The values of a counter or gauge by label values; for `--json` output and tests."""
    return {tuple(cell["values"]): cell["value"] for cell in snapshot[name]["cells"]}
