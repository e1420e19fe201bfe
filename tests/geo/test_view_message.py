"""What is known of the network reaches the processes that lead clients, and small differences do not."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.network_view import Health, NetworkView, PopView, static_view
from edge.geo.view_message import SHARES, NetworkState, heard_of, said_of
from edge.settings.network import Network, NetworkNode, Pop, PopState
from edge.settings.node import ListenAddress

FRA = Pop(
    "fra", ipv4=(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")), ipv6=(IPv6Address("2001:db8::1"),)
)
NETWORK = Network(
    pops=(FRA, Pop("iad", state=PopState.DRAIN)),
    nodes=(
        NetworkNode("fra-1", "fra", http=ListenAddress("192.0.2.1", 80)),
        NetworkNode("fra-2", "fra", http=ListenAddress("2001:db8::1", 80)),
    ),
)


def test_it_comes_back_as_it_was():
    view = NetworkView((PopView(FRA, Health.DOWN, 0.5, 0.25, 0.75, 0.9), PopView(NETWORK.pops[1], load=None)))
    said = json.loads(json.dumps(said_of(view, {"x"})))
    assert heard_of(NETWORK, said) == NetworkState(replace(view), frozenset({"x"}))


def test_where_nothing_is_said_the_file_counts():
    assert heard_of(NETWORK, None).view == static_view(NETWORK)
    said = said_of(NetworkView((PopView(FRA, Health.DOWN),)), ())
    other = Network(pops=(NETWORK.pops[1],))
    assert heard_of(other, said).view == static_view(other)


def test_the_address_of_an_edge_that_is_out_is_not_given_out_as_long_as_there_is_another():
    said = said_of(static_view(NETWORK), {"fra-1", "fra-2"})
    (fra, _) = heard_of(NETWORK, said).view.pops
    assert fra.pop.ipv4 == (IPv4Address("192.0.2.2"),)
    assert fra.pop.ipv6 == FRA.ipv6


@settings(max_examples=50)
@given(st.floats(0, 1))
def test_a_share_is_rounded_but_never_to_none_or_all(share: float):
    said = said_of(NetworkView((PopView(FRA, drained=share),)), ())["pops"]["fra"][1]
    assert abs(said - share) <= 1 / SHARES
    assert (said == 0, said == 1) == (share == 0, share == 1)


def test_what_makes_no_difference_is_not_told_again():
    one = NetworkView((PopView(FRA, ready=0.5, load=0.501),))
    other = NetworkView((PopView(FRA, ready=0.501, load=0.502),))
    assert said_of(one, ()) == said_of(other, ())
