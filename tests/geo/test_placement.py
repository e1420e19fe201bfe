"""Each filter, the order of what is left, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.network_view import Health, NetworkView, PopView
from edge.geo.placement import SENTENCE, Placement, PlacementReason, Step, Subject, place, rank
from edge.geo.places import Point
from edge.geo.whereabouts import NOWHERE, SLOTS, PlaceSource, Whereabouts
from edge.settings.network import Pop, RoutedSite, UnknownCountry

R = PlacementReason


def pop(name: str, latitude: float, longitude: float, number: int, **more: object) -> Pop:
    v4 = (IPv4Address(f"192.0.2.{number}"),)
    v6 = (IPv6Address(f"2001:db8::{number}"),)
    made = Pop(name, "eu", latitude, longitude, ipv4=v4, ipv6=v6)
    return replace(made, **more)  # type: ignore[arg-type]  # by name


FRA, AMS = pop("fra", 50.11, 8.68, 1), pop("ams", 52.37, 4.9, 2)
IAD, SIN = pop("iad", 38.94, -77.46, 3), pop("sin", 1.35, 103.99, 4)
SITE = RoutedSite("shop", spread=False)
ALL = NetworkView(tuple(PopView(each) for each in (FRA, AMS, IAD, SIN)), ("iad",))
BERLIN = Subject(Whereabouts("DE", Point(52.52, 13.4), None, PlaceSource.COORDINATES))
HONG_KONG = Subject(Whereabouts("HK", Point(22.3, 114.17), None, PlaceSource.COORDINATES))
SOMEWHERE = Subject(NOWHERE)


def view(**changes: dict[str, object]) -> NetworkView:
    pops = tuple(replace(each, **changes.get(each.pop.name, {})) for each in ALL.pops)  # type: ignore[arg-type]
    return replace(ALL, pops=pops)


def with_pops(*pops: Pop) -> NetworkView:
    return NetworkView(tuple(PopView(each) for each in pops))


def said(placement: Placement) -> tuple[str | None, tuple[PlacementReason, ...]]:
    return placement.pop, placement.reasons


def named(subject: Subject, name: str) -> Subject:
    return replace(subject, where=replace(subject.where, pop=name))


DOWN: dict[str, object] = {"health": Health.DOWN}
DRAINED: dict[str, object] = {"drained": 1.0}
SHED: dict[str, object] = {"shed": 1.0}
COLD: dict[str, object] = {"ready": 0.0}

TABLE: list[tuple[str, Subject, RoutedSite, NetworkView, str | None, tuple[PlacementReason, ...]]] = [
    ("the nearest", BERLIN, SITE, ALL, "fra", (R.NEAREST,)),
    ("the nearest, elsewhere", HONG_KONG, SITE, ALL, "sin", (R.NEAREST,)),
    ("nobody knows where", SOMEWHERE, SITE, ALL, "iad", (R.DEFAULT_ORDER,)),
    ("an override", named(BERLIN, "iad"), SITE, ALL, "iad", (R.OVERRIDE,)),
    ("an override of an unknown place", named(SOMEWHERE, "sin"), SITE, ALL, "sin", (R.OVERRIDE,)),
    (
        "an override to a POP that is down",
        named(BERLIN, "iad"),
        SITE,
        view(iad=DOWN),
        "fra",
        (R.NEAREST, R.DOWN),
    ),
    ("an override to what is not there", named(BERLIN, "x"), SITE, ALL, "fra", (R.NEAREST,)),
    ("down", BERLIN, SITE, view(fra=DOWN), "ams", (R.NEAREST, R.DOWN)),
    ("another one down", BERLIN, SITE, view(sin=DOWN), "fra", (R.NEAREST,)),
    ("unknown is up", BERLIN, SITE, view(ams={"health": Health.UP}), "fra", (R.NEAREST,)),
    ("all down", BERLIN, SITE, view(fra=DOWN, ams=DOWN, iad=DOWN, sin=DOWN), "fra", (R.NEAREST, R.ALL_DOWN)),
    ("all but one down", BERLIN, SITE, view(fra=DOWN, ams=DOWN, iad=DOWN), "sin", (R.ONLY, R.DOWN)),
    ("drained", BERLIN, SITE, view(fra=DRAINED), "ams", (R.NEAREST, R.DRAINING)),
    (
        "all drained",
        BERLIN,
        SITE,
        view(fra=DRAINED, ams=DRAINED, iad=DRAINED, sin=DRAINED),
        "fra",
        (R.NEAREST, R.ALL_DRAINING),
    ),
    ("full", BERLIN, SITE, view(fra=SHED), "ams", (R.NEAREST, R.FULL)),
    ("all full", BERLIN, SITE, view(fra=SHED, ams=SHED, iad=SHED, sin=SHED), "fra", (R.NEAREST, R.ALL_FULL)),
    ("cold", BERLIN, SITE, view(fra=COLD), "ams", (R.NEAREST, R.COLD)),
    ("all cold", BERLIN, SITE, view(fra=COLD, ams=COLD, iad=COLD, sin=COLD), "fra", (R.NEAREST, R.ALL_COLD)),
    (
        "one down, the next full, the third drained",
        BERLIN,
        SITE,
        view(fra=DOWN, ams=SHED, iad=DRAINED),
        "sin",
        (R.ONLY, R.DOWN),
    ),
    (
        "what is left after health is full",
        BERLIN,
        SITE,
        view(fra=SHED, ams=DOWN, iad=DOWN, sin=DOWN),
        "fra",
        (R.ONLY, R.ALL_FULL),
    ),
    (
        "POPs of the site",
        BERLIN,
        replace(SITE, pops=frozenset({"ams", "sin"})),
        ALL,
        "ams",
        (R.NEAREST, R.OTHER_SITES),
    ),
    (
        "the site's POPs are not there",
        BERLIN,
        replace(SITE, pops=frozenset({"x"})),
        ALL,
        "fra",
        (R.NEAREST, R.NONE_FOR_SITE),
    ),
    (
        "a POP for others",
        BERLIN,
        SITE,
        with_pops(replace(FRA, countries=frozenset({"CH"})), AMS, IAD),
        "ams",
        (R.NEAREST, R.OTHER_COUNTRIES),
    ),
    (
        "a POP for them",
        BERLIN,
        SITE,
        with_pops(replace(FRA, countries=frozenset({"DE"})), AMS, IAD),
        "fra",
        (R.NEAREST,),
    ),
    (
        "no POP for them",
        BERLIN,
        SITE,
        with_pops(replace(FRA, countries=frozenset({"CH"})), replace(AMS, countries=frozenset({"NL"}))),
        "fra",
        (R.NEAREST, R.NONE_FOR_COUNTRY),
    ),
    ("a bias away", BERLIN, SITE, with_pops(replace(FRA, bias=500.0), AMS), "ams", (R.NEAREST,)),
    ("a bias towards", HONG_KONG, SITE, with_pops(replace(FRA, bias=-9000.0), SIN), "fra", (R.NEAREST,)),
    ("no weight", BERLIN, SITE, with_pops(replace(FRA, weight=0), AMS, IAD), "ams", (R.NEAREST, R.NO_WEIGHT)),
    (
        "no weight anywhere",
        BERLIN,
        SITE,
        with_pops(replace(FRA, weight=0), replace(AMS, weight=0)),
        "fra",
        (R.NEAREST,),
    ),
    ("one POP", BERLIN, SITE, with_pops(FRA), "fra", (R.ONLY,)),
    ("no POP", BERLIN, SITE, NetworkView(), None, (R.NO_POP,)),
    ("no addresses", BERLIN, SITE, with_pops(replace(FRA, ipv4=(), ipv6=())), None, (R.NO_POP,)),
    (
        "shields only, nearer",
        BERLIN,
        SITE,
        with_pops(replace(FRA, ipv4=(), ipv6=()), AMS, IAD),
        "ams",
        (R.NEAREST,),
    ),
    ("a country that is served", BERLIN, replace(SITE, allow=frozenset({"DE"})), ALL, "fra", (R.NEAREST,)),
    ("one that is not", BERLIN, replace(SITE, allow=frozenset({"FR"})), ALL, "fra", (R.NEAREST, R.DENIED)),
    ("one that is denied", BERLIN, replace(SITE, deny=frozenset({"DE"})), ALL, "fra", (R.NEAREST, R.DENIED)),
    (
        "denied wins",
        BERLIN,
        replace(SITE, allow=frozenset({"DE"}), deny=frozenset({"DE"}), alternate=b"sorry.org"),
        ALL,
        None,
        (R.ALTERNATE,),
    ),
    (
        "an alternate",
        BERLIN,
        replace(SITE, allow=frozenset({"FR"}), alternate=b"sorry.org"),
        ALL,
        None,
        (R.ALTERNATE,),
    ),
    (
        "an alternate that is not needed",
        BERLIN,
        replace(SITE, deny=frozenset({"FR"}), alternate=b"sorry.org"),
        ALL,
        "fra",
        (R.NEAREST,),
    ),
    (
        "an unknown country is served",
        SOMEWHERE,
        replace(SITE, allow=frozenset({"FR"}), alternate=b"sorry.org"),
        ALL,
        "iad",
        (R.DEFAULT_ORDER,),
    ),
    (
        "or not",
        SOMEWHERE,
        replace(
            SITE,
            deny=frozenset({"FR"}),
            alternate=b"sorry.org",
            unknown_country=UnknownCountry.DENY,
        ),
        ALL,
        None,
        (R.ALTERNATE,),
    ),
]


@pytest.mark.parametrize(
    "name, subject, site, network, chosen, reasons", TABLE, ids=[row[0] for row in TABLE]
)
def test_a_client_is_placed(
    name: str,
    subject: Subject,
    site: RoutedSite,
    network: NetworkView,
    chosen: str | None,
    reasons: tuple[PlacementReason, ...],
):
    placement = place(subject, site, network)
    assert said(placement) == (chosen, reasons)
    assert placement.alternate == (site.alternate if reasons == (R.ALTERNATE,) else None)


def test_all_that_is_left_is_in_order_and_what_was_left_out_is_known():
    placement = place(BERLIN, SITE, view(ams=DOWN))
    assert placement.pops == ("fra", "iad", "sin")
    assert placement.steps == (Step(R.DOWN, ("ams",)),)
    everything = place(BERLIN, SITE, view(fra=SHED, ams=SHED, iad=SHED, sin=SHED))
    assert everything.steps == (Step(R.ALL_FULL, ("fra", "ams", "iad", "sin"), skipped=True),)


def clients(where: Whereabouts) -> list[Subject]:
    return [Subject(where, slot) for slot in range(SLOTS)]


def firsts(where: Whereabouts, site: RoutedSite, network: NetworkView) -> Counter[str | None]:
    return Counter(place(subject, site, network).pop for subject in clients(where))


SPREAD = replace(SITE, spread=True)


def test_clients_are_spread_over_what_is_near_enough_by_weight():
    network = with_pops(replace(FRA, weight=75), replace(AMS, weight=25), IAD, SIN)
    placed = firsts(BERLIN.where, SPREAD, network)
    assert placed.keys() == {"fra", "ams"}
    assert placed["fra"] == pytest.approx(192, abs=20)
    assert said(place(BERLIN, SPREAD, network))[1] == (R.SPREAD,)
    assert place(BERLIN, SPREAD, network).pops[2:] == ("iad", "sin")


@pytest.mark.parametrize(
    "site, near",
    [
        (SPREAD, {"fra", "ams"}),  # 423 and 576 km
        (replace(SPREAD, spread_factor=1.0, spread_extra=100.0), {"fra"}),
        (replace(SPREAD, spread_factor=1.4, spread_extra=0.0), {"fra", "ams"}),
        (replace(SPREAD, spread_factor=10.0, spread_extra=3_000.0), {"fra", "ams", "iad"}),
        (replace(SPREAD, spread_factor=1.0, spread_extra=20_000.0), {"fra", "ams", "iad", "sin"}),
    ],
)
def test_near_enough_is_what_the_site_says(site: RoutedSite, near: set[str]):
    assert firsts(BERLIN.where, site, ALL).keys() == near


@pytest.mark.parametrize(
    "change, reason",
    [({"shed": 0.25}, R.FULL), ({"drained": 0.25}, R.DRAINING), ({"ready": 0.75}, R.COLD)],
)
def test_a_share_of_the_clients_goes_to_the_next_pop(change: dict[str, object], reason: PlacementReason):
    network = view(fra=change)
    placed = [place(subject, SITE, network) for subject in clients(BERLIN.where)]
    moved = [placement for placement in placed if placement.pop == "ams"]
    assert len(moved) == 64
    assert {placement.reasons for placement in moved} == {(R.NEAREST, reason)}
    assert {placement.pop for placement in placed} == {"fra", "ams"}


def test_slow_start_and_load_turn_the_same_clients_away():
    """Two halves that were apart would turn everybody away."""
    assert firsts(BERLIN.where, SITE, view(fra={"ready": 0.5, "shed": 0.5}))["fra"] == 128


MANY = replace(
    FRA, ipv4=tuple(IPv4Address(f"192.0.2.{n}") for n in range(1, 5)), ipv6=(IPv6Address("2001:db8::1"),)
)


def test_addresses_are_limited_and_take_turns():
    answers = [place(Subject(BERLIN.where, slot), SITE, with_pops(MANY, SIN)).ipv4 for slot in range(4)]
    assert [[int(address) & 255 for address in answer] for answer in answers] == [
        [1, 2],
        [2, 3],
        [3, 4],
        [4, 1],
    ]
    assert place(BERLIN, SITE, with_pops(MANY, SIN)).ipv6 == (IPv6Address("2001:db8::1"),)


@pytest.mark.parametrize(
    "site, network, mattered",
    [
        (SITE, ALL, True),
        (SITE, with_pops(FRA), False),
        (SITE, with_pops(FRA, replace(AMS, weight=0)), False),
        (SITE, view(ams=DOWN, iad=DRAINED, sin=COLD), False),
        (SITE, view(ams=DOWN, iad=DOWN, sin={"drained": 0.9}), True),
        (replace(SITE, pops=frozenset({"fra"})), ALL, False),
        (replace(SITE, pops=frozenset({"fra"}), deny=frozenset({"FR"})), ALL, False),
        (replace(SITE, pops=frozenset({"fra"}), deny=frozenset({"FR"}), alternate=b"a.org"), ALL, True),
        (SITE, with_pops(MANY), True),  # its addresses take turns
        (replace(SITE, answers=4), with_pops(MANY), False),
        (SITE, NetworkView(), False),
    ],
)
def test_it_is_told_whether_another_client_could_have_got_another_answer(
    site: RoutedSite, network: NetworkView, mattered: bool
):
    assert place(BERLIN, site, network).geography_mattered is mattered


def test_each_reason_has_a_sentence():
    assert SENTENCE.keys() == set(PlacementReason)


def test_a_rank_knows_distances():
    ranked = rank(BERLIN, with_pops(FRA, replace(AMS, bias=-300.0)).pops, NetworkView())
    assert [(each.view.pop.name, round(each.kilometres or 0)) for each in ranked] == [
        ("ams", 276),
        ("fra", 423),
    ]
    assert [each.kilometres for each in rank(SOMEWHERE, ALL.pops, ALL)] == [None] * 4


SHARES = st.sampled_from([0.0, 0.3, 1.0])
VIEWS = st.lists(
    st.builds(
        PopView, st.sampled_from([FRA, AMS, IAD, SIN, MANY]), st.sampled_from(Health), SHARES, SHARES, SHARES
    ),
    max_size=4,
    unique_by=lambda each: each.pop.name,
).map(lambda pops: NetworkView(tuple(pops), ("sin",)))
COUNTRIES = st.frozensets(st.sampled_from(["DE", "FR", "HK"]), max_size=2)
SITES = st.builds(
    RoutedSite,
    name=st.just("shop"),
    answers=st.integers(1, 4),
    pops=st.frozensets(st.sampled_from(["fra", "iad"])),
    allow=COUNTRIES,
    deny=COUNTRIES,
    spread=st.booleans(),
    alternate=st.sampled_from([None, b"a.org"]),
)
SUBJECTS = st.builds(
    Subject,
    st.builds(
        Whereabouts,
        st.sampled_from([None, "DE", "FR", "US"]),
        st.sampled_from([None, Point(52.52, 13.4), Point(22.3, 114.17)]),
        st.sampled_from([None, "iad", "gone"]),
    ),
    st.integers(0, SLOTS - 1),
)


@given(SUBJECTS, SUBJECTS, SITES, VIEWS)
def test_whatever_the_state_somebody_answers_and_a_scope_of_zero_is_true(
    subject: Subject, other: Subject, site: RoutedSite, network: NetworkView
):
    one, two = place(subject, site, network), place(other, site, network)
    assert one == place(subject, site, network)
    if one.alternate is None:
        assert (one.pop is None) == (not network.pops)
        assert len(one.ipv4) <= site.answers
        assert one.pops[:1] == ((one.pop,) if one.pop is not None else ())
    if not one.geography_mattered:
        assert (one.pop, one.ipv4, one.ipv6, one.alternate) == (two.pop, two.ipv4, two.ipv6, two.alternate)
        assert not two.geography_mattered
