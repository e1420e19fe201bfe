"""What is counted of origins is declared once, beside what the edge counts."""

from __future__ import annotations

from edge.measures import Measures
from origin_shield.measures import OriginMeasures


def test_each_metric_is_declared_in_the_nodes_registry():
    registry = Measures().registry
    before = {said.name for said in registry.declarations()}
    OriginMeasures(registry)
    added = {said.name for said in registry.declarations()} - before
    assert len(added) == 11
    assert all(name.startswith("perigee_origin_") for name in added)
