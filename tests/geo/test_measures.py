"""Metrics of routing are declared once, and their labels come from settings."""

from __future__ import annotations

from edge.geo.measures import LeadMeasures, WatchMeasures
from edge.measures import Measures
from edge.server.admin import OF_ALL


def test_they_stand_beside_all_others_of_a_process():
    registry = Measures().registry
    WatchMeasures(registry)
    LeadMeasures(registry)
    names = [said.name for said in registry.declarations()]
    assert len(names) == len(set(names))
    assert all(said.help and said.unit for said in registry.declarations())


def test_labels_are_sites_pops_and_words_of_ours():
    registry = Measures().registry
    before = {said.name for said in registry.declarations()}
    WatchMeasures(registry)
    LeadMeasures(registry)
    new = [said for said in registry.declarations() if said.name not in before]
    assert {label for said in new for label in said.labels} == {"outcome", "pop", "site", "to"}


def test_what_a_supervisor_counts_is_shown_on_its_page():
    registry = Measures().registry
    before = {said.name for said in registry.declarations()}
    WatchMeasures(registry)
    for said in registry.declarations():
        assert said.name in before or said.name.startswith(OF_ALL)
