"""The fence as random schedules: who asks after a purge is in force at his node never gets what is older.

Two edges, before a shield that collapses or straight before the origin, with the product's purge table and fill table;
an origin that changes, purges of all kinds, hard and soft, applied late; requests and answers that take their time; nodes
that restart from an older snapshot; a log that loses its oldest or its newest messages. The rules hold in every schedule
that was tried, and each of them is needed: without it some schedule is found that breaks the promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.message import UnixSeconds
from edge.semantics.purge_table import Applied, PurgeTable, Standing, Verdict
from edge.semantics.rules import VaryRules
from edge.semantics.stored import StoredResponse
from tests.kit.fence_node import Node, Rules, Store
from tests.kit.fence_world import ENCODINGS, KINDS, RESOURCES, Process, Wanted, World

STEPS = 500
PACES = (0.02, 0.06, 0.5)
"""How often a node reads a message of the log, a step; some three are written in a hundred steps."""
SCHEDULES = 250
"""Every mutant below is found in the first hundred."""


def play(seed: int, rules: Rules) -> World:
    """One schedule, until something is wrong or it ends."""
    world = World(seed)
    nodes = network(world, rules)
    edges = [node for node in nodes if node.name != "shield"]
    for _ in range(STEPS):
        step(world, nodes, edges)
        world.now += 1
        if world.violations:
            break
    return world


def network(world: World, rules: Rules) -> list[Node]:
    chance = world.chance
    max_items = chance.choice((3, 8, 100))
    shield = Node("shield", world, rules, None, {}, max_items, chance.choice(PACES[:2]))
    parent = shield if world.likely(0.8) else None
    disk: Store = {}
    edges = [
        Node(name, world, rules, parent, store, max_items, chance.choice(PACES))
        for name, store in (("edge 1", disk), ("edge 2", disk if world.likely(0.2) else {}))
    ]
    nodes = [*edges, shield]
    for node in nodes:
        node.read_one()
        node.save()
    return nodes


def step(world: World, nodes: list[Node], edges: list[Node]) -> None:
    chance = world.chance
    for node in nodes:
        if world.likely(node.eagerness):
            node.read_one()
    what = chance.random()
    if what < 0.25:
        edge = chance.choice(edges)
        if edge.is_ready:
            resource = chance.choice(RESOURCES[: 1 + world.seed % len(RESOURCES)])
            wanted = Wanted(resource, chance.choice((b"http", b"https")), chance.choice(ENCODINGS))
            edge.spawn(edge.client(wanted))
    elif what < 0.275:
        world.publish()
    elif what < 0.285:
        world.origin.update(chance.choice(RESOURCES))
    elif what < 0.29:
        world.log.append()
    elif what < 0.302:
        calamity(world, chance.choice(nodes))
    else:
        advance(world, nodes)


CALAMITIES = (
    *("restart", "origin") * 3,
    *("save", "gap", "history", "retire", "rekey", "tear"),
)


def calamity(world: World, node: Node) -> None:
    kind = world.chance.choice(CALAMITIES)
    world.seen[kind] += 1
    match kind:
        case "restart":
            if world.likely(0.7):
                node.save()
            node.restart()
        case "save":
            node.save()
        case "gap":
            world.log.lose_oldest(world.chance.randrange(6))
        case "history":
            world.log.begin(world.chance.randrange(3))
        case "origin":
            world.origin.is_up = not world.origin.is_up
        case "retire":
            node.table.retire(UnixSeconds(world.now - 20))
        case "rekey":
            node.table.rekey()
        case _:
            node.store.clear()


def advance(world: World, nodes: list[Node]) -> None:
    """One process that can go on does."""
    ready: list[Process] = []
    for node in nodes:
        node.processes = [process for process in node.processes if not process.is_done]
        ready += [process for process in node.processes if process.waiting is None or process.waiting()]
    if not ready:
        return
    process = world.chance.choice(ready)
    try:
        process.waiting = next(process.steps)
    except StopIteration as end:
        process.is_done, process.result = True, end.value


PRODUCT = Rules()
LOOKING = replace(PRODUCT, looks_at_answers=True)


@pytest.mark.slow
@pytest.mark.parametrize("rules", [PRODUCT, LOOKING])
def test_who_asks_after_a_purge_is_in_force_never_gets_what_is_older(rules: Rules):
    for seed in range(SCHEDULES):
        assert play(seed, rules).violations == [], seed


@pytest.mark.slow
@given(seed=st.integers(0, 2**64), rules=st.sampled_from([PRODUCT, LOOKING]))
@settings(max_examples=100, deadline=None)
def test_nor_in_any_other_schedule(seed: int, rules: Rules):
    assert play(seed, rules).violations == []


@pytest.mark.slow
def test_what_could_go_wrong_does_happen_in_these_schedules():
    seen: Counter[str] = Counter()
    for seed in range(30):
        seen += play(seed, LOOKING).seen
    rare = {name for name in HAPPENS if seen[name] < 5}
    assert not rare, seen


HAPPENS = {
    *(f"{hardness} {kind}" for hardness in ("hard", "soft") for kind in KINDS),
    *(standing.value for standing in Standing),
    *("hit", "soft hit", "from the origin", "304", "stale if error"),
    *("followed", "followed in vain", "fresh answer", "stale answer"),
    *("restart", "gap", "begin", "origin", "retire", "rekey", "tear", "save"),
}


# -- each of the rules is needed --


class FloorIgnored(PurgeTable):
    def standing(self, stored: StoredResponse, clean: int, need: int, vary: VaryRules) -> Verdict:
        floor, self.floor = self.floor, 0
        try:
            return super().standing(stored, clean, need, vary)
        finally:
            self.floor = floor


class NeedIgnored(PurgeTable):
    """Below it, an order that this node has not read yet may name what it has."""

    def standing(self, stored: StoredResponse, clean: int, need: int, vary: VaryRules) -> Verdict:
        return super().standing(stored, clean, 0, vary)


class OffByOne(PurgeTable):
    """The order at its fence is one that the content may be older than."""

    def standing(self, stored: StoredResponse, clean: int, need: int, vary: VaryRules) -> Verdict:
        return super().standing(stored, clean + 1, need, vary)


class SoftIsNothing(PurgeTable):
    def standing(self, stored: StoredResponse, clean: int, need: int, vary: VaryRules) -> Verdict:
        verdict = super().standing(stored, clean, need, vary)
        return Verdict(Standing.VOUCHED) if verdict.standing is Standing.SOFT else verdict


class NotKeptAtRestart(PurgeTable):
    """The position is, the orders are not."""

    def restore(self, applied: int, floor: int, orders: Iterable[Applied]) -> None:
        super().restore(applied, floor, ())


MUTANTS = {
    "1: the need stays at home": replace(PRODUCT, need_travels=False),
    "2: stamped when the answer comes": replace(PRODUCT, stamped_when_sent=False),
    "3: deleted when applied, and that is all": replace(PRODUCT, serves_what_it_vouches_for=False),
    "4: whatever is under way is joined": replace(
        PRODUCT, joins_what_it_vouches_for=False, followers_look=False
    ),
    "4: a follower does not look at what came": replace(PRODUCT, followers_look=False),
    "what a soft order names counts as looked at": replace(PRODUCT, soft_is_not_lifted=False),
    "what nobody vouches for stands in for an error": replace(PRODUCT, unknown_stands_in=True),
    "ready before it has caught up": replace(PRODUCT, ready_when_caught_up=False),
    "the floor is ignored": replace(PRODUCT, table=FloorIgnored),
    "the need is ignored": replace(PRODUCT, table=NeedIgnored),
    "one too many is trusted": replace(PRODUCT, table=OffByOne),
    "soft is nothing": replace(PRODUCT, table=SoftIsNothing),
    "orders are lost at a restart": replace(PRODUCT, table=NotKeptAtRestart),
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_any_one_of_the_rules_the_promise_is_broken(mutant: str):
    assert any(play(seed, MUTANTS[mutant]).violations for seed in range(SCHEDULES))
