"""How much a purge would name, counted before it is ordered.

Owns: the answer of one worker, and that of a node, which is their sum (the question, and the sum over nodes:
edge.purge.desk_dry_run). Rules: what a purge names is found by the purge table itself, made of that one order: a dry run
cannot say something else than the purge. A worker that does not answer makes the node's answer incomplete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge.clock import Clock
from edge.purge.desk_dry_run import answered, together
from edge.semantics.purge_order import BadMessage, PurgeOrder, decode
from edge.semantics.purge_table import PurgeTable, Standing
from edge.semantics.rules import VaryRules
from edge.semantics.stored import StoredResponse
from edge.settings.sites import SiteTable, purged_keys
from edge.store.contents import Contents
from edge.store.survey import Survey, survey

MARGIN_SECONDS = 0.5
"""Of the time that an answer may take, what the ways between take."""
LEAST_SECONDS = 0.1

_NO_RULES = VaryRules()


async def surveyed(
    data: bytes, sites: SiteTable, contents: Contents, *, seconds: float, clock: Clock
) -> Survey:
    """What one worker has. data: an order, as encoded. BadMessage where it is none, StoreFault."""
    order = decode(data)
    if not isinstance(order, PurgeOrder):
        raise BadMessage("no order")
    table = PurgeTable(lambda uri: purged_keys(uri, sites))
    table.apply(order, 1)
    vary = {rules.name: rules.vary for rules in sites}

    def names(stored: StoredResponse) -> bool:
        verdict = table.standing(stored, 0, 0, vary.get(stored.selectors.site, _NO_RULES))
        return verdict.standing in {Standing.HARD, Standing.SOFT}

    within = max(LEAST_SECONDS, seconds - MARGIN_SECONDS)
    return await survey(contents, names, seconds=within, mono=clock.mono)


def answer_of(said: Iterable[Mapping[str, Any]], *, workers: int) -> dict[str, Any]:
    """The node's answer. said: what workers answered. workers: how many serve; all must have said something."""
    parts = [part for each in said if (part := answered(each)) is not None]
    total = together(parts)
    return {**total.as_json(), "complete": total.complete and len(parts) == workers}
