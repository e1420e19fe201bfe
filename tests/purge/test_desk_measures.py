"""The desk's metrics stand in the node's registry, once."""

from __future__ import annotations

from edge.measures import Measures
from edge.purge.desk_measures import DeskMeasures


def test_they_are_shown_with_those_of_the_node():
    measures = Measures()
    counted = DeskMeasures(measures.registry)
    counted.requests.of("ours", "ordered").value += 1
    shown = measures.registry.snapshot()
    assert shown["perigee_purge_requests_total"]["cells"] == [{"values": ["ours", "ordered"], "value": 1}]
    assert {
        "perigee_purged_items_total",
        "perigee_purge_order_seconds",
        "perigee_purge_waiting",
    } <= shown.keys()
