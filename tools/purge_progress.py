"""What is seen of a purge on its way: a line per region that fills, then a table of nodes; plain where nobody watches.

Owns: the print-outs of receipts and dry runs. Rules: what is shown is what the node told; a node that is away is named and
never shown as done. Progress goes to standard error, results to standard output, as aligned text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

Receipt = dict[str, Any]


class Progress:
    """A context in which receipts are shown as they come. quiet: nothing is shown; nor is it where nobody watches."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True, quiet=quiet)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} nodes"),
            TextColumn("{task.fields[away]}"),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._lines: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, receipt: Receipt) -> None:
        """As it is now."""
        for one in receipt["regions"]:
            region = one["region"]
            if region not in self._lines:
                self._lines[region] = self._bars.add_task(region, away="")
            away = f"{one['away']} away" if one["away"] else ""
            self._bars.update(
                self._lines[region],
                completed=one["applied"],
                total=one["applied"] + one["pending"],
                away=away,
            )


def scope_of(receipt: Receipt, region: str | None) -> Receipt:
    """The receipt of one region, made of that of all of them. region: None = it is to be everywhere."""
    if region is None or receipt["region"] == region:
        return receipt
    kept = {
        name: [one for one in receipt[name] if one["region"] == region]
        for name in ("regions", "applied", "pending", "away")
    }
    counts = kept["regions"][0] if kept["regions"] else {"applied": 0, "pending": 0}
    done = receipt["surveyed"] and counts["applied"] > 0 and counts["pending"] == 0
    return {**receipt, **kept, "region": region, "done": done}


def as_lines(order_id: str, receipt: Receipt) -> list[str]:
    """A table of nodes, and how it ended."""
    rows = [("NODE", "REGION", "STATE", "AFTER")]
    rows += [(one["node"], one["region"], "applied", _seconds(one["after"])) for one in receipt["applied"]]
    for state in ("pending", "away"):
        rows += [
            (one["node"], one["region"], _state(one, state), f"silent {one['silent']:.1f} s")
            for one in receipt[state]
        ]
    return [*aligned(rows), *(_region(one) for one in receipt["regions"]), _end(order_id, receipt)]


def _state(one: dict[str, Any], state: str) -> str:
    return "two nodes have this name" if one["contested"] else state


def _region(one: dict[str, Any]) -> str:
    away = f", {one['away']} away" if one["away"] else ""
    return f"{one['region']}: {one['applied']} of {one['applied'] + one['pending']} live nodes{away}"


def _end(order_id: str, receipt: Receipt) -> str:
    where = "everywhere" if receipt["region"] is None else f"in {receipt['region']}"
    if receipt["done"]:
        return f"{order_id}: in force {where}"
    if not receipt["surveyed"]:
        return f"{order_id}: ordered; the node does not know yet which others there are"
    return f"{order_id}: ordered, and not yet in force {where}"


def counted_lines(said: dict[str, Any]) -> list[str]:
    """What a dry run found."""
    rows = [("NODE", "RESPONSES", "BYTES", "LATELY SERVED", "")]
    rows += [_counted(one["node"], one) for one in said["nodes"]]
    rows += [(node, "-", "-", "-", "does not answer") for node in said["silent"]]
    rows.append(_counted("all", said["total"]))
    return aligned(rows)


def _counted(name: str, one: dict[str, Any]) -> tuple[str, str, str, str, str]:
    rest = "" if one["complete"] else "at least"
    return (name, str(one["objects"]), str(one["bytes"]), str(one["hot_objects"]), rest)


def _seconds(after: float | None) -> str:
    return "" if after is None else f"{after * 1000:.0f} ms"


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns, two spaces apart."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
