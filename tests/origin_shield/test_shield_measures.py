"""What is counted of shields is declared once, under names of its own."""

from __future__ import annotations

from edge.measures import Measures
from origin_shield.shield_measures import ShieldMeasures


def test_its_metrics_stand_beside_those_of_a_node():
    registry = Measures().registry
    before = {said.name for said in registry.declarations()}
    ShieldMeasures(registry)
    added = {said.name for said in registry.declarations()} - before
    assert added and all(name.startswith("perigee_shield_") for name in added)
