"""What one vantage point makes of its checks, and which nodes are left out of a POP that is up."""

from __future__ import annotations

import pytest

from edge.geo.health import Said, Streak
from edge.geo.network_view import Health
from edge.geo.vantage import after, countable, health_by_pop, nodes_out
from edge.settings.network import HealthSettings, Network, NetworkNode, Pop, Role

NETWORK = Network(
    pops=(Pop("fra"), Pop("iad"), Pop("sin")),
    nodes=(
        NetworkNode("fra-1", "fra"),
        NetworkNode("fra-2", "fra"),
        NetworkNode("fra-s", "fra", Role.SHIELD),
        NetworkNode("iad-1", "iad"),
    ),
    health=HealthSettings(down_after=2, up_after=1, presence_life=3.0),
)
WORKS = {"fra-1": True, "fra-2": True, "iad-1": True}


def test_a_pop_is_down_when_all_its_edges_failed_often_enough():
    streaks = after({}, WORKS, NETWORK)
    assert health_by_pop(NETWORK, streaks) == {"fra": Health.UP, "iad": Health.UP}
    broken = {"fra-1": False, "fra-2": True, "iad-1": False}
    streaks = after(streaks, broken, NETWORK)
    assert health_by_pop(NETWORK, streaks)["iad"] is Health.UP
    streaks = after(streaks, broken, NETWORK)
    assert health_by_pop(NETWORK, streaks) == {"fra": Health.UP, "iad": Health.DOWN}
    assert nodes_out(NETWORK, streaks, {}, 0.0) == {"fra-1", "iad-1"}
    assert health_by_pop(NETWORK, after(streaks, WORKS, NETWORK))["iad"] is Health.UP


def test_nothing_is_said_of_a_pop_before_it_was_asked_and_of_one_without_edges():
    assert health_by_pop(NETWORK, {}) == {}
    assert "sin" not in health_by_pop(NETWORK, after({}, WORKS, NETWORK))


def test_a_node_that_was_not_asked_is_as_it_was_and_one_that_is_gone_is_forgotten():
    streaks = after({"gone": Streak(Health.UP)}, {"fra-1": True}, NETWORK)
    assert streaks == {"fra-1": Streak(Health.UP), "fra-2": Streak(), "iad-1": Streak()}


@pytest.mark.parametrize(
    ("name", "said", "out"),
    [
        ("all speak and are ready", {"fra-1": (9.0, True), "fra-2": (9.0, True)}, set()),
        ("one says that it is not ready", {"fra-1": (9.0, False), "fra-2": (9.0, True)}, {"fra-1"}),
        ("one fell silent while others speak", {"fra-1": (6.0, True), "fra-2": (9.0, True)}, {"fra-1"}),
        ("nobody speaks any more", {"fra-1": (6.0, True), "fra-2": (6.0, False)}, set()),
        ("one was never heard", {"fra-2": (9.0, True)}, set()),
    ],
)
def test_a_node_is_out_by_what_it_says_or_does_not_say(
    name: str, said: dict[str, tuple[float, bool]], out: set[str]
):
    heard = {node: Said(at, ready) for node, (at, ready) in said.items()}
    assert nodes_out(NETWORK, {}, heard, 10.0) == out, name


@pytest.mark.parametrize(
    ("name", "since", "now", "expected"),
    [
        ("we do not hear", None, 10.0, {}),
        ("we have just begun to", 8.0, 10.0, {}),
        ("all is well", 0.0, 10.0, {"fra-1": 7.5, "iad-1": 9.5}),
        ("nobody spoke for a while: time stands still", 0.0, 11.5, {"fra-1": 8.5, "iad-1": 10.5}),
        ("nobody speaks", 0.0, 12.6, {}),
    ],
)
def test_silence_is_held_against_nodes_where_it_is_theirs(
    name: str, since: float | None, now: float, expected: dict[str, float]
):
    said = {"fra-1": Said(7.5, True), "iad-1": Said(9.5, True)}
    counted = countable(said, since, now, NETWORK.health)
    assert {node: each.at for node, each in counted.items()} == expected, name
    assert countable({}, 0.0, now, NETWORK.health) == {}
