"""Who says that a POP is down, how many must, and what it gets when it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.health import (
    LEAST_SHARE,
    NODES,
    Opinion,
    PopHealth,
    Said,
    Seen,
    Streak,
    checked,
    judge,
    nodes_opinion,
    pop_health,
    readiness,
    verdict,
    view_of,
)
from edge.geo.network_view import Health, PopView
from edge.settings.network import HealthSettings, Network, NetworkNode, Pop, PopState, Role

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
SETTINGS = HealthSettings()
NETWORK = Network(
    pops=(Pop("fra"), Pop("iad"), Pop("sin")),
    nodes=(
        NetworkNode("fra-1", "fra", weight=3),
        NetworkNode("fra-2", "fra", weight=1),
        NetworkNode("fra-s", "fra", Role.SHIELD),
        NetworkNode("iad-1", "iad"),
    ),
)
NOBODY = Seen()


def after(*results: bool) -> list[Health]:
    streak = Streak()
    seen = []
    for works in results:
        streak = checked(streak, works, SETTINGS)
        seen.append(streak.health)
    return seen


@pytest.mark.parametrize(
    "results, healths",
    [
        ((True,), [UP]),
        ((False, False, True), [UNKNOWN, UNKNOWN, UP]),
        ((False, False, False), [UNKNOWN, UNKNOWN, DOWN]),
        ((True, False, False, True, False, False), [UP] * 6),
        ((True, False, False, False), [UP, UP, UP, DOWN]),
        ((False, False, False, True, False, True, True), [UNKNOWN, UNKNOWN, DOWN, DOWN, DOWN, DOWN, UP]),
    ],
)
def test_a_node_changes_after_enough_checks_in_a_row(results: tuple[bool, ...], healths: list[Health]):
    assert after(*results) == healths


@pytest.mark.parametrize(
    "nodes, health",
    [
        ([], UNKNOWN),
        ([(1, UNKNOWN)], UNKNOWN),
        ([(1, DOWN), (1, UNKNOWN)], DOWN),
        ([(1, DOWN), (1, UP)], UP),
        ([(1, DOWN), (0, UP)], DOWN),
    ],
)
def test_a_pop_is_down_when_all_of_its_nodes_are(nodes: list[tuple[float, Health]], health: Health):
    assert pop_health(nodes) is health


def opinions(*healths: Health, at: float = 100.0) -> tuple[Opinion, ...]:
    return tuple(Opinion(f"dns-{n}", health, at) for n, health in enumerate(healths))


@pytest.mark.parametrize(
    "healths, health",
    [
        ((), UNKNOWN),
        ((UNKNOWN, UNKNOWN), UNKNOWN),
        ((DOWN,), DOWN),
        ((DOWN, UNKNOWN), DOWN),
        ((DOWN, UP), UP),
        ((DOWN, DOWN, UP), DOWN),
        ((DOWN, UP, UP), UP),
        ((DOWN, DOWN, UP, UP), UP),
    ],
)
def test_more_than_half_of_those_who_know_must_agree(healths: tuple[Health, ...], health: Health):
    assert verdict(opinions(*healths), 100.0, SETTINGS) is health


def test_an_old_opinion_says_nothing():
    old = opinions(UP, UP, at=80.0)
    assert verdict((*old, Opinion("here", DOWN, 100.0)), 100.0, SETTINGS) is DOWN
    assert verdict(old, 100.0, SETTINGS) is UNKNOWN


def said(*nodes: str, at: float = 100.0, **more: object) -> Seen:
    made = replace(Said(at, ready=True), **more)  # type: ignore[arg-type]  # by name
    return Seen(said=dict.fromkeys(nodes, made))


@pytest.mark.parametrize(
    "pop, seen, health",
    [
        ("fra", said("fra-2", "iad-1"), UP),
        ("fra", said("iad-1"), DOWN),
        ("fra", said("fra-s"), DOWN),  # its shield speaks, its edges do not
        ("iad", said("fra-1"), DOWN),
        ("fra", NOBODY, None),  # the control plane is away
        ("fra", said("fra-1", "iad-1", at=90.0), None),
        ("sin", said("fra-1"), None),  # the network names no edge of it
    ],
)
def test_silence_means_something_only_while_others_speak(pop: str, seen: Seen, health: Health | None):
    opinion = nodes_opinion(NETWORK, pop, seen, 100.0)
    assert opinion == (None if health is None else Opinion(NODES, health, 100.0))


@pytest.mark.parametrize(
    "seen, share",
    [
        (said("fra-1", "fra-2"), 1.0),
        (said("fra-1"), 0.75),
        (said("fra-1", "fra-2", ready=False), 0.0),
        (said("fra-1", "fra-2", lag=15.0), 1.0),
        (said("fra-1", "fra-2", lag=15.1), 0.0),
        (said("fra-1", "fra-2", lag=None), 0.0),
        (said("iad-1"), None),
        (NOBODY, None),
    ],
)
def test_a_node_that_is_cold_or_behind_does_not_count(seen: Seen, share: float | None):
    assert readiness(NETWORK, "fra", seen, 100.0) == share


class Course:
    """A network over time."""

    def __init__(self, network: Network = NETWORK) -> None:
        self.network = network
        self.now = 100.0
        self.states: Mapping[str, PopHealth] = {}

    def step(self, seen: Seen = NOBODY, *, seconds: float = 1.0) -> PopView:
        """fra, a while later."""
        self.now += seconds
        self.states = judge(self.states, self.network, seen, self.now)
        return view_of(self.network, self.states, self.now).pops[0]

    def says(self, *healths: Health) -> Seen:
        return Seen(opinions={"fra": opinions(*healths, at=self.now + 1.0)})


def test_at_the_start_everything_is_unknown_and_gets_all():
    course = Course()
    assert course.step() == PopView(NETWORK.pops[0], UNKNOWN)
    assert course.step(course.says(UP)) == PopView(NETWORK.pops[0], UP)


def test_what_was_known_last_stays_when_nobody_knows_anything():
    course = Course()
    course.step(course.says(DOWN))
    assert course.step(NOBODY, seconds=1_000.0).health is DOWN
    course.step(course.says(UP))
    assert course.step(NOBODY, seconds=1_000.0).health is UP


def test_who_returns_gets_its_clients_slowly():
    course = Course()
    course.step(course.says(DOWN))
    assert course.step(course.says(UP)).ready == LEAST_SHARE
    assert [round(course.step(course.says(UP), seconds=15.0).ready, 2) for _ in range(5)] == [
        0.25,
        0.5,
        0.75,
        1.0,
        1.0,
    ]
    assert course.states["fra"].returned is None


def test_slow_start_may_be_off_and_drains_sudden():
    network = replace(NETWORK, health=HealthSettings(slow_start=0.0, drain_ramp=0.0))
    course = Course(network)
    course.step(course.says(DOWN))
    assert course.step(course.says(UP)).ready == 1.0
    assert course.step(replace(NOBODY, drains=frozenset({"fra"}))).drained == 1.0
    assert course.step().drained == 0.0


def test_who_is_drained_loses_its_clients_slowly_and_gets_them_back_so():
    course, drain = Course(), replace(NOBODY, drains=frozenset({"fra"}))
    course.step()
    assert [round(course.step(drain, seconds=20.0).drained, 2) for _ in range(4)] == [0.33, 0.67, 1.0, 1.0]
    assert [round(course.step(seconds=30.0).drained, 2) for _ in range(3)] == [0.5, 0.0, 0.0]


def test_who_is_drained_at_the_start_has_been_so():
    drained = replace(NETWORK, pops=(replace(NETWORK.pops[0], state=PopState.DRAIN), *NETWORK.pops[1:]))
    assert Course(drained).step().drained == 1.0


def test_checks_that_take_out_nearly_all_are_doubted():
    course = Course()
    two = Seen(opinions={name: opinions(DOWN, at=101.0) for name in ("fra", "iad")})
    assert course.step(two).health is DOWN
    all_three = Seen(opinions={name: opinions(DOWN, at=102.0) for name in ("fra", "iad", "sin")})
    assert course.step(all_three).health is UNKNOWN


def test_one_bad_vantage_point_drops_nobody():
    """Its checks fail while the nodes speak; only when they are silent too is the POP out."""
    course = Course()
    speaking = Seen(opinions={"fra": opinions(DOWN, at=101.0)}, said=dict(said("fra-1", "iad-1").said))
    assert course.step(speaking).health is UP
    course.now = 103.0
    silent = Seen(opinions={"fra": opinions(DOWN, at=104.0)}, said=dict(said("iad-1", at=104.0).said))
    assert course.step(silent).health is DOWN


def test_what_nodes_say_of_their_load_passes_clients_on():
    course = Course()
    views = [
        course.step(said("fra-1", "fra-2", at=course.now + 3.0, load=1.0), seconds=3.0) for _ in range(4)
    ]
    assert [round(view.shed, 2) for view in views] == [0.0, 0.05, 0.1, 0.15]
    assert views[-1].load == 1.0
    quiet = course.step(NOBODY, seconds=3.0)  # nobody says anything: what was known last stays
    assert (quiet.load, round(quiet.shed, 2)) == (1.0, 0.15)


def test_a_capacity_counts_requests():
    network = replace(NETWORK, pops=(replace(NETWORK.pops[0], capacity=1_000), *NETWORK.pops[1:]))
    course = Course(network)
    assert course.step(said("fra-1", "fra-2", at=101.0, load=0.1, rate=450.0)).load == 0.9
    assert course.step(said("fra-1", "fra-2", at=102.0, load=0.1)).load == pytest.approx(0.1)


HEALTHS = st.sampled_from(Health)
SEEN = st.builds(
    lambda healths, nodes, ready, lag, load, drains: Seen(
        {"fra": opinions(*healths, at=0.0)},
        {node: Said(0.0, ready, lag, load) for node in nodes},
        drains,
    ),
    st.lists(HEALTHS, max_size=3),
    st.sets(st.sampled_from(["fra-1", "fra-2", "iad-1"])),
    st.booleans(),
    st.sampled_from([None, 0.0, 99.0]),
    st.sampled_from([0.0, 0.75, 2.0]),
    st.frozensets(st.sampled_from(["fra", "iad"])),
)


@given(st.lists(st.tuples(SEEN, st.sampled_from([0.0, 1.0, 30.0])), max_size=12))
def test_shares_stay_shares_whatever_is_seen(history: list[tuple[Seen, float]]):
    course = Course()
    for seen, seconds in history:
        before = course.states.get("fra")
        at = course.now + seconds
        fresh = Seen(
            {name: tuple(replace(o, at=at) for o in each) for name, each in seen.opinions.items()},
            {name: replace(each, at=at) for name, each in seen.said.items()},
            seen.drains,
        )
        view = course.step(fresh, seconds=seconds)
        assert all(0 <= share <= 1 for share in (view.drained, view.ready, view.shed))
        if before is not None and seconds <= 1.0:
            assert abs(view.drained - before.drained) <= 1 / 60 + 1e-9  # never a jump
            assert abs(view.shed - before.shedding.share) <= 1 / 60 + 1e-9
