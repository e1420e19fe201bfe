"""Everything that an edge counts can be scraped, and says what it is."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from edge.measures import Measures
from edge.metrics import exposition


def test_every_metric_says_what_it_is_in_a_sentence():
    for said in Measures().registry.declarations():
        assert said.help.endswith("."), said.name
        assert said.unit, said.name


def test_a_fresh_node_can_be_scraped():
    measures = Measures()
    measures.requests.of("site", "hit", "fresh", "2xx").value += 1
    page = exposition(measures.registry.snapshot()).decode()
    shown = {family.name for family in text_string_to_metric_families(page)}
    assert {name.removesuffix("_total") for name in measures.registry.snapshot()} == shown
    assert 'perigee_requests_total{because="fresh",cache="hit",site="site",status="2xx"} 1.0' in page


def test_two_nodes_in_one_process_count_apart():
    one, two = Measures(), Measures()
    one.collapsed.value += 1
    assert two.collapsed.value == 0
