"""Who is asked before an origin is, by every kind of node, and what is left when some are gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.rules import ShieldFallback, ShieldRules, SiteRules
from edge.settings.network import Network, NetworkNode, OwnShields, Pop, Region, Role, RoutedSite
from edge.settings.node import ListenAddress, NodeSettings, TierSettings
from origin_shield.above import MAX_NODES, Steps, above, addresses, steps


def at(last: int) -> ListenAddress:
    return ListenAddress(f"10.0.0.{last}", 8090)


def node(name: str, role: Role = Role.EDGE, last: int = 1) -> NetworkNode:
    return NetworkNode(name, name.partition("-")[0], role, http=at(last), tier=at(last))


EDGES = [node("fra-1", last=1), node("fra-2", last=2), node("iad-1", last=3), node("sin-1", last=4)]
SHIELDS = [
    node("fra-s1", Role.SHIELD, 11),
    node("fra-s2", Role.SHIELD, 12),
    node("iad-s1", Role.SHIELD, 13),
]
NETWORK = Network(
    regions=(Region("eu"), Region("us"), Region("asia", shields=OwnShields.NONE)),
    pops=(Pop("fra", "eu"), Pop("iad", "us"), Pop("sin", "asia")),
    nodes=(*EDGES, *SHIELDS),
)
SHARING = replace(NETWORK, pops=(replace(NETWORK.pops[0], siblings=True), *NETWORK.pops[1:]))
KEYS = [bytes([number]) * 32 for number in range(200)]
SITE = SiteRules(name="shop")


def told(
    name: str,
    key: bytes = KEYS[0],
    *,
    network: Network = NETWORK,
    route: RoutedSite | None = None,
    rules: SiteRules = SITE,
    straight: bool = True,
    from_node: bool = False,
    gone: frozenset[str] = frozenset(),
) -> tuple[set[str], bool]:
    found = asked(
        name,
        key,
        network=network,
        route=route,
        rules=rules,
        straight=straight,
        from_node=from_node,
        gone=gone,
    )
    return set(found.nodes), found.straight


def asked(
    name: str,
    key: bytes = KEYS[0],
    *,
    network: Network = NETWORK,
    route: RoutedSite | None = None,
    rules: SiteRules = SITE,
    straight: bool = True,
    from_node: bool = False,
    gone: frozenset[str] = frozenset(),
) -> Steps:
    if route is not None:
        network = replace(network, routes=(route,))
    said = NodeSettings(name=name, network=network, tier=TierSettings(straight=straight))
    return steps(key, above(said, rules, from_node=from_node), gone=gone)


EU, US = {"fra-s1", "fra-s2"}, {"iad-s1"}
SECOND = RoutedSite("shop", second_tier="us")
TO_US = RoutedSite("shop", shields="us")


@pytest.mark.parametrize(
    ("name", "route", "from_node", "nodes", "straight"),
    [
        pytest.param("fra-1", None, False, EU | US, True, id="an edge: its region's, then the others'"),
        pytest.param("iad-1", None, False, EU | US, True, id="another region"),
        pytest.param("sin-1", None, False, set(), True, id="a region that wants none"),
        pytest.param("sin-1", TO_US, False, EU | US, True, id="unless the site has them at home"),
        pytest.param(
            "fra-1", RoutedSite("shop", shields=OwnShields.NONE), False, set(), True, id="or nowhere"
        ),
        pytest.param("fra-s1", None, True, set(), True, id="a shield: the origin"),
        pytest.param("fra-s1", SECOND, True, US, True, id="or the second tier"),
        pytest.param("iad-s1", SECOND, True, set(), True, id="the second tier: the origin"),
        pytest.param("fra-s1", TO_US, True, set(), True, id="a shield that stands in for another region's"),
        pytest.param("fra-1", None, True, EU | US, True, id="an edge that a sibling asks"),
    ],
)
def test_who_is_asked(name: str, route: RoutedSite | None, from_node: bool, nodes: set[str], straight: bool):
    for key in KEYS[:20]:
        assert told(name, key, route=route, from_node=from_node) == (nodes, straight)


def test_the_own_region_comes_first_then_the_second_tier():
    for key in KEYS:
        assert asked("fra-1", key, route=SECOND).nodes[2:] == ("iad-s1",)
        assert asked("iad-1", key).nodes[0] == "iad-s1"
        assert asked("iad-1", key, route=TO_US).nodes[0] == "iad-s1"
        assert asked("fra-1", key, route=TO_US).nodes[0] == "iad-s1"


def test_edges_of_a_region_agree_and_both_shields_have_keys():
    first = [asked("fra-1", key).nodes[0] for key in KEYS]
    assert first == [asked("fra-2", key).nodes[0] for key in KEYS]
    assert all(60 < first.count(shield) < 140 for shield in EU)


def test_a_shield_that_is_gone_moves_its_keys_and_no_others():
    for key in KEYS:
        before = asked("fra-1", key).nodes[0]
        after = asked("fra-1", key, gone=frozenset({"fra-s1"})).nodes[0]
        assert after == ("fra-s2" if before == "fra-s1" else before)


@pytest.mark.parametrize(
    ("fallback", "straight", "nodes", "origin"),
    [
        (ShieldFallback.ORIGIN, True, US, True),
        (ShieldFallback.ORIGIN, False, EU | US, False),
        (ShieldFallback.SHIELDS, True, EU | US, False),
        (ShieldFallback.STALE, True, EU, False),
    ],
)
def test_a_site_says_who_is_asked_when_its_shields_are_gone(
    fallback: ShieldFallback, straight: bool, nodes: set[str], origin: bool
):
    rules = replace(SITE, shield=ShieldRules(fallback))
    gone = frozenset(EU)
    assert told("fra-1", rules=rules, straight=straight, gone=gone) == (nodes, origin)


def test_a_shield_that_clients_come_to_is_the_shield_of_its_own_keys():
    own = [key for key in KEYS if asked("fra-1", key).nodes[0] == "fra-s1"]
    others = [key for key in KEYS if key not in own]
    for key in own:
        assert asked("fra-s1", key) == Steps((), True)
        assert asked("fra-s1", key, route=SECOND) == Steps(("iad-s1",), True)
    for key in others:
        assert asked("fra-s1", key) == Steps(("fra-s2",), True)
        assert asked("fra-s1", key, gone=frozenset({"fra-s2"})) == Steps((), True)


def test_of_edges_that_share_their_keys_the_keys_own_is_asked_first():
    firsts = set()
    for key in KEYS:
        here, there = (asked(name, key, network=SHARING).nodes for name in ("fra-1", "fra-2"))
        owner = here[0] if here[0] in {"fra-1", "fra-2"} else "fra-1"
        firsts.add(owner)
        assert (here[0] == "fra-2") == (owner == "fra-2")
        assert (there[0] == "fra-1") == (owner == "fra-1")
        # who is asked by a sibling goes up
        assert set(asked(owner, key, network=SHARING, from_node=True).nodes) == EU | US
        # a sibling that is gone is nobody's
        assert set(asked("fra-1", key, network=SHARING, gone=frozenset({"fra-2"})).nodes) == EU | US
    assert firsts == {"fra-1", "fra-2"}
    assert set(asked("iad-1", network=SHARING).nodes) == EU | US


def test_time_outs_can_be_reckoned_from_the_number_of_tiers():
    def tiers(name: str, network: Network = NETWORK, *, from_node: bool = False) -> int:
        return above(NodeSettings(name=name, network=network), SITE, from_node=from_node).tiers

    second = replace(NETWORK, routes=(SECOND,))
    assert [tiers("fra-1"), tiers("fra-1", SHARING), tiers("fra-1", second)] == [1, 2, 2]
    assert [tiers("fra-s1", second, from_node=True), tiers("fra-s1", from_node=True)] == [1, 0]


def test_nodes_are_asked_where_they_serve_nodes():
    said = NodeSettings(name="fra-1", network=NETWORK)
    assert addresses(said) == {"fra-2": at(2), **{each.name: at(n) for n, each in enumerate(SHIELDS, 11)}}
    assert addresses(NodeSettings()) == {}


FLAT = TierSettings(listen=at(1), shields=(at(1), at(2), at(3)))


def test_a_list_of_shields_is_a_ring_of_addresses():
    said = NodeSettings(tier=replace(FLAT, listen=None), name="fra-1", network=NETWORK)
    found = steps(KEYS[0], above(said, SITE, from_node=False))
    assert (set(found.nodes), found.straight) == ({str(at(n)) for n in (1, 2, 3)}, True)
    assert addresses(said) == {str(at(n)): at(n) for n in (1, 2, 3)}
    assert steps(KEYS[0], above(NodeSettings(), SITE, from_node=False)) == Steps((), True)


def test_a_node_in_a_list_of_shields_never_asks_itself_nor_for_a_node():
    said = NodeSettings(tier=FLAT)
    found = [steps(key, above(said, SITE, from_node=False)) for key in KEYS]
    assert all(str(at(1)) not in each.nodes and each.straight for each in found)
    assert {len(each.nodes) for each in found} == {0, 1, 2}
    assert steps(KEYS[0], above(said, SITE, from_node=True)) == Steps((), True)


NAMES = [each.name for each in NETWORK.nodes]


@settings(max_examples=60)
@given(
    key=st.binary(min_size=32, max_size=32),
    start=st.sampled_from(NAMES),
    shields=st.sampled_from(("eu", "us", OwnShields.REGIONAL, OwnShields.NONE)),
    second=st.sampled_from((None, "eu", "us")),
    gone=st.frozensets(st.sampled_from(NAMES)),
    data=st.data(),
)
def test_whatever_way_is_taken_nobody_is_met_twice(
    key: bytes,
    start: str,
    shields: str | OwnShields,
    second: str | None,
    gone: frozenset[str],
    data: st.DataObject,
):
    route = RoutedSite("shop", shields=shields, second_tier=second)
    met, here, from_node = [start], start, False
    while True:
        found = asked(here, key, network=SHARING, route=route, from_node=from_node, gone=gone - {here})
        assert len(found.nodes) <= MAX_NODES
        if not found.nodes:
            assert found.straight
            break
        here, from_node = data.draw(st.sampled_from(found.nodes)), True
        assert here not in met
        met.append(here)
    assert len(met) <= 4  # edge, sibling, shield, second tier
