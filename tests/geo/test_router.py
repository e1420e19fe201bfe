"""Who is sent where, who stays, and that there are no circles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.network_view import Health, PopView
from edge.geo.placement import Subject, place
from edge.geo.router import ALTERNATE, STAY, Better, Led, Router, packed_of
from edge.geo.whereabouts import SLOTS
from edge.semantics.redirect_rules import Redirect, RedirectRules
from tests.kit.routers import (
    AMERICAN,
    ATLAS,
    FRENCH,
    GERMAN,
    JAPANESE,
    NETWORK,
    NOBODY,
    POPS,
    routed,
    router,
)

FRA, IAD, PAR = POPS
RULES = RedirectRules(Redirect.FOUND)
BY_PATH = replace(RULES, by_path=(b"/video/",))
HOST = b"www.example.org"


def led(
    made: Router, address: str, *, site: str = "default", rules: RedirectRules = RULES, path: bytes = b"/a"
) -> Led | None:
    return made.lead(site, rules, address, HOST, path)


@pytest.mark.parametrize(
    ("name", "made", "site", "address", "expected"),
    [
        ("the nearest is this one", router(), "default", GERMAN, STAY),
        ("another is nearer", router(), "default", AMERICAN, Led("iad", b"iad." + HOST)),
        ("this one is near enough", router(node="par-1"), "default", GERMAN, STAY),
        ("near enough does not count", router(node="par-1"), "near", GERMAN, Led("fra", b"fra." + HOST)),
        ("the nearest is down", router(PopView(IAD, Health.DOWN)), "default", AMERICAN, STAY),
        ("the nearest is drained", router(PopView(IAD, drained=1.0)), "default", AMERICAN, STAY),
        ("nobody knows where it is", router(node="iad-1"), "default", NOBODY, STAY),
        ("the site is not routed", router(), "other", AMERICAN, STAY),
        ("it is no address", router(), "default", "unknown", STAY),
        ("a socket has none", router(), "default", "", STAY),
        ("IPv4 in IPv6 clothes", router(), "default", f"::ffff:{AMERICAN}", Led("iad", b"iad." + HOST)),
    ],
)
def test_a_client_is_sent_where_it_is_better_off(
    name: str, made: Router, site: str, address: str, expected: Led | None
):
    assert led(made, address, site=site) == expected, name


def test_a_pop_that_is_drained_sends_its_own_clients_away_also_those_whose_place_is_unknown():
    drained = router(PopView(FRA, drained=1.0))
    assert led(drained, GERMAN) == Led("par", b"par." + HOST)
    assert led(drained, NOBODY) == Led("iad", b"iad." + HOST)


def test_who_is_not_served_is_sent_to_the_alternate_and_stays_there():
    made = router(network=routed(deny=frozenset({"US"}), alternate=b"sorry.example.org"))
    assert led(made, AMERICAN) == Led(ALTERNATE, b"sorry.example.org")
    assert made.lead("default", RULES, AMERICAN, b"sorry.example.org", b"/") is STAY
    assert led(router(network=routed(deny=frozenset({"DE"}))), GERMAN) is STAY


def test_the_host_of_a_redirect_is_told_from_others():
    made = router()
    assert made.without_mark(b"iad." + HOST, RULES) == HOST
    assert made.without_mark(b"iad-2." + HOST, RULES) == HOST
    assert made.without_mark(HOST, RULES) is None
    assert made.without_mark(b"lhr." + HOST, RULES) is None
    whole = replace(RULES, pop_host=b"{pop}.cdn.example.net", node_host=b"{node}.cdn.example.net")
    assert made.without_mark(b"fra.cdn.example.net", whole) == b"fra.cdn.example.net"
    assert made.without_mark(HOST, whole) is None


def test_a_path_belongs_to_one_node_of_the_pop_whichever_edge_is_asked():
    owners = set()
    for number in range(60):
        path = b"/video/%d" % number
        from_fra = led(router(node="fra-1"), AMERICAN, rules=BY_PATH, path=path)
        assert from_fra is not None
        assert from_fra.node is not None
        assert from_fra == Led("iad", from_fra.node.encode() + b"." + HOST, from_fra.node)
        owners.add(from_fra.node)
        for node in ("iad-1", "iad-2", "iad-3"):
            there = led(router(node=node), AMERICAN, rules=BY_PATH, path=path)
            assert there == (STAY if node == from_fra.node else from_fra)
    assert owners == {"iad-1", "iad-2", "iad-3"}
    assert led(router(), AMERICAN, rules=BY_PATH, path=b"/videos") == Led("iad", b"iad." + HOST)


def test_a_node_that_goes_takes_only_its_own_paths_with_it():
    for number in range(60):
        path = b"/video/%d" % number
        before = led(router(), AMERICAN, rules=BY_PATH, path=path)
        after = led(router(out=frozenset({"iad-2"})), AMERICAN, rules=BY_PATH, path=path)
        assert before is not None
        assert after is not None
        assert after.node != "iad-2"
        assert before.node in ("iad-2", after.node)
    gone = router(out=frozenset({"iad-1", "iad-2", "iad-3"}))
    assert led(gone, AMERICAN, rules=BY_PATH, path=b"/video/1") == Led("iad", b"iad." + HOST)


def test_countries_are_those_of_the_atlas():
    made = router()
    assert [made.country(each) for each in (GERMAN, JAPANESE, NOBODY, "unknown")] == ["DE", "JP", None, None]


@settings(max_examples=40)
@given(
    st.sampled_from((GERMAN, FRENCH, AMERICAN, JAPANESE, NOBODY)),
    st.lists(st.tuples(st.sampled_from(Health), st.sampled_from((0.0, 0.5, 1.0))), min_size=3, max_size=3),
    st.sampled_from(("default", "near")),
)
def test_who_was_sent_somewhere_is_not_better_off_elsewhere(
    address: str, states: list[tuple[Health, float]], site: str
):
    views = [PopView(pop, health, drained) for pop, (health, drained) in zip(POPS, states, strict=True)]
    for node in ("fra-1", "iad-1", "par-1"):
        better = router(*views, node=node).better(site, address)
        if better is STAY:
            continue
        assert better.pop is not None
        packed = packed_of(address)
        assert packed is not None
        bucket, _ = ATLAS.bucket_of(packed)
        route = NETWORK.route(site)
        assert route is not None
        view = router(*views)._state.view
        assert better == Better(place(Subject(ATLAS.whereabouts(bucket), bucket % SLOTS), route, view).pop)
        assert router(*views, node=f"{better.pop}-1").better(site, address) is STAY
