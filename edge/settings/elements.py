"""Arrays of tables: `[[pop]]` and its like, each element read against a schema of its own. PURE.

Rules: a fault names the element by its index, as in `pop[2].latitude`; what must be written and is not is said at the
element's header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.settings.document import Document, read_table
from edge.settings.problems import Path, Problem, shown
from edge.settings.schema import Schema

MAX_ELEMENTS = 10_000
"""Of one array; a network file of 1 MiB has no room for more."""


def array_of_tables(
    document: Document, table: Mapping[str, object], name: str, *, base: Path = (), into: list[Problem]
) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Where each element of `[[name]]` in `table` stands, and the element. base: of `table`. into: gets problems."""
    array = table.get(name, [])
    at = (*base, name)
    if not isinstance(array, list) or not all(isinstance(element, dict) for element in array):
        header = ".".join(step for step in at if isinstance(step, str))
        wrong = f"{shown(array)} stands where a {name} belongs"
        into.append(document.problem(at, wrong, f"write [[{header}]], with two brackets"))
        return
    if len(array) > MAX_ELEMENTS:
        into.append(document.problem(at, f"there are {len(array)}", f"allowed: {MAX_ELEMENTS}"))
        return
    for index, element in enumerate(array):
        yield (*at, index), element


def read_element(
    document: Document,
    table: Mapping[str, object],
    schema: Schema[Any],
    *,
    base: Path,
    env: Mapping[str, str],
    into: list[Problem],
    besides: frozenset[str] = frozenset(),
) -> dict[str, object]:
    """The values in one element, with defaults that had to give way; to be built only where nothing is wrong."""
    written = read_table(document, table, schema, base=base, env=env, besides=besides)
    into += written.problems
    what = next(step for step in reversed(base) if isinstance(step, str))
    for name, example in schema.required.items():
        if name not in table:
            wrong = f"this {what} has no {name}"
            into.append(document.problem(base, wrong, f"write {name} = {example} in it"))
    values, _ = schema.settle(written.values)
    return values
