"""What the file alone says of the network."""

from __future__ import annotations

from edge.geo.network_view import Health, NetworkView, PopView, static_view
from edge.settings.network import GeoSettings, Network, Pop, PopState


def test_without_anybody_looking_every_pop_counts_as_up_and_drained_ones_as_drained():
    active, drained = Pop("fra"), Pop("iad", state=PopState.DRAIN)
    network = Network(pops=(active, drained), geo=GeoSettings(default_pops=("iad",)))
    assert static_view(network) == NetworkView(
        (PopView(active, Health.UNKNOWN), PopView(drained, Health.UNKNOWN, drained=1.0)), ("iad",)
    )
