"""The plain ways out: one way for the same rules, a new one for new rules, and no shields."""

from __future__ import annotations

from edge.fill.pool import OriginPool
from edge.measures import Measures
from edge.semantics.rules import SiteRules
from edge.server.outward import Ground, Straight
from edge.settings.node import NodeSettings
from tests.kit.clock import ManualClock
from tests.kit.upstreams import Names


async def test_a_site_has_one_way_to_its_origins_until_its_rules_are_new():
    clock, measures = ManualClock(), Measures()
    pool = OriginPool(clock, Names(clock), measures)
    outward = Straight(Ground(pool, NodeSettings(), clock, measures, 1))
    await outward.start()
    one, same, other = SiteRules(), SiteRules(name="b"), SiteRules()
    assert outward.origin(one) is outward.origin(one)
    assert outward.origin(one) is not outward.origin(same)
    before = outward.origin(one)
    outward.apply(NodeSettings())
    assert outward.origin(one) is not before
    assert outward.origin(other) is not outward.origin(one)
    ways = outward.ways(one, b"k" * 32, from_node=False)
    assert (ways.nodes, ways.straight) == ((), True)
    await outward.aclose()
    await pool.aclose()
