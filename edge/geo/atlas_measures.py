"""What is counted of databases and look-ups in them.

Owns: `AtlasMeasures`: names, units and help texts; and `tell`, which carries over what atlas and keeper counted. Rules: they
count for themselves and start anew whenever they are replaced, the totals here only grow. Labels are file names of the
settings.
"""

from __future__ import annotations

from edge.geo.atlas import Atlas
from edge.geo.keeper import AtlasKeeper
from edge.metrics import Merge, Registry


class AtlasMeasures:
    """To be told before each snapshot."""

    def __init__(self, registry: Registry) -> None:
        self.unknown = registry.counter(
            "perigee_atlas_unknown_total",
            unit="look-ups",
            help="Look-ups of addresses whose place no database and no override knows. Answers that are ready need none.",
        ).of()
        self.failures = registry.counter(
            "perigee_atlas_failures_total",
            unit="look-ups",
            help="Look-ups that a database answered with an error: it is damaged.",
        ).of()
        self.rounded = registry.counter(
            "perigee_atlas_rounded_total",
            unit="look-ups",
            help="Look-ups whose place was rounded to a degree, since geo.max_places was met.",
        ).of()
        self.refused = registry.counter(
            "perigee_atlas_refused_total",
            unit="files",
            help="Database files that were read and not taken; by each process.",
        ).of()
        self.complaints = registry.gauge(
            "perigee_atlas_complaints",
            unit="databases",
            help="Databases that are missing or damaged now: the ones before them are in use, or none.",
            merge=Merge.MAX,
        ).of()
        self.built = registry.gauge(
            "perigee_atlas_database_built_seconds",
            unit="seconds",
            help="When the database in use was made, in unix seconds, as its maker says. database: the file's name.",
            labels=("database",),
            merge=Merge.MIN,
        )
        self._keeper: AtlasKeeper | None = None
        self._atlas: Atlas | None = None
        self._refused = 0
        self._counted = (0, 0, 0)

    def tell(self, keeper: AtlasKeeper) -> None:
        """What was counted since the last time, and what is so now."""
        self._add()
        if keeper is not self._keeper:
            self._keeper, self._refused = keeper, 0
        if keeper.atlas is not self._atlas:
            self._atlas, self._counted = keeper.atlas, (0, 0, 0)
        self._add()
        self.complaints.value = len(keeper.complaints)
        self.built.cells.clear()
        for database in keeper.databases:
            self.built.of(database.file.name).value = database.built

    def _add(self) -> None:
        if self._keeper is not None:
            self.refused.value += self._keeper.refused - self._refused
            self._refused = self._keeper.refused
        if self._atlas is not None:
            now = (self._atlas.unknown, self._atlas.failures, self._atlas.register.rounded)
            for cell, new, old in zip(
                (self.unknown, self.failures, self.rounded), now, self._counted, strict=True
            ):
                cell.value += new - old
            self._counted = now
