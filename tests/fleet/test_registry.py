"""Who is there, and what a receipt may say: only what was heard."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fleet.presence import Presence
from edge.fleet.registry import (
    CONTESTED_SECONDS,
    FORGET_SECONDS,
    LIVE_SECONDS,
    MAX_STEPS,
    Acknowledged,
    Heard,
    Progress,
    Receipt,
    Registry,
)

OURS, THEIRS = "0" * 16, "f" * 16


def said(
    node: str, applied: int = 0, *, instance: str = "one", region: str = "eu", history: str = OURS
) -> Presence:
    return Presence(node, instance, region, history=history, applied=applied)


def fleet(*presences: Presence, now: float = 0.0) -> Registry:
    registry = Registry()
    for presence in presences:
        registry.hear(presence, now)
    return registry


def names(receipt: Receipt) -> tuple[list[str], list[str], list[str]]:
    return (
        [each.node for each in receipt.applied],
        [each.node for each in receipt.pending],
        [each.node for each in receipt.away],
    )


NODES = [
    ("heard of it", [(said("a", 5), 0.0)], 1.0, (["a"], [], [])),
    ("further than it", [(said("a", 9), 0.0)], 1.0, (["a"], [], [])),
    ("not so far", [(said("a", 4), 0.0)], 1.0, ([], ["a"], [])),
    ("as far in another history", [(said("a", 9, history=THEIRS), 0.0)], 1.0, ([], ["a"], [])),
    ("in no history yet", [(said("a", 0, history=""), 0.0)], 1.0, ([], ["a"], [])),
    ("silent, and had not", [(said("a", 4), 0.0)], LIVE_SECONDS + 0.1, ([], [], ["a"])),
    ("just not silent", [(said("a", 4), 0.0)], LIVE_SECONDS, ([], ["a"], [])),
    ("silent, but it had said so", [(said("a", 5), 0.0)], LIVE_SECONDS + 0.1, (["a"], [], [])),
    (
        "a restart that has not come so far",
        [(said("a", 5), 0.0), (said("a", 4, instance="two"), 1.0)],
        1.0,
        ([], ["a"], []),
    ),
    (
        "a restart that has caught up",
        [(said("a", 4), 0.0), (said("a", 5, instance="two"), 1.0)],
        1.0,
        (["a"], [], []),
    ),
    ("it went back", [(said("a", 5), 0.0), (said("a", 3), 0.5)], 1.0, ([], ["a"], [])),
    (
        "it left for another history",
        [(said("a", 5), 0.0), (said("a", 9, history=THEIRS), 0.5)],
        1.0,
        ([], ["a"], []),
    ),
    ("it left", [(said("a", 4), 0.0), (replace(said("a", 4), leaving=True), 0.5)], 1.0, ([], [], [])),
    (
        "what it was before left",
        [(said("a", 4, instance="two"), 0.0), (replace(said("a", 4), leaving=True), 0.5)],
        1.0,
        ([], ["a"], []),
    ),
    (
        "one of two",
        [(said("a", 5), 0.0), (said("b", 4), 0.0)],
        1.0,
        (["a"], ["b"], []),
    ),
]


@pytest.mark.parametrize(
    ("heard", "now", "verdict"), [case[1:] for case in NODES], ids=[case[0] for case in NODES]
)
def test_a_receipt_says_of_each_node_what_was_heard_of_it(heard, now, verdict):
    registry = Registry()
    for presence, at in heard:
        registry.hear(presence, at)
    receipt = registry.receipt(5, OURS, None, now)
    assert names(receipt) == verdict
    assert receipt.is_complete == (bool(verdict[0]) and not verdict[1])


def test_a_receipt_of_one_region_knows_no_other():
    registry = fleet(said("a", 5), said("b", 4, region="us"), said("c", 5, region="us"))
    assert names(registry.receipt(5, OURS, "us", 0.0)) == (["c"], ["b"], [])
    assert registry.receipt(5, OURS, "eu", 0.0).is_complete
    assert not registry.receipt(5, OURS, "mars", 0.0).is_complete, "nobody there has said anything"


def test_progress_is_counted_by_region():
    registry = fleet(said("z", 0, region="ap"), now=-60.0)
    for presence in (said("a", 5), said("b", 4), said("c", 5, region="us")):
        registry.hear(presence, 0.0)
    assert registry.receipt(5, OURS, None, 0.0).regions() == (
        Progress("ap", 0, 0, 1),
        Progress("eu", 1, 1, 0),
        Progress("us", 1, 0, 0),
    )


def test_who_has_not_listened_long_enough_completes_nothing():
    registry = fleet(said("a", 5))
    assert registry.receipt(5, OURS, None, 0.0).is_complete
    assert not registry.receipt(5, OURS, None, 0.0, surveyed=False).is_complete


def test_nobody_completes_nothing():
    assert not Registry().receipt(0, OURS, None, 0.0).is_complete


def test_a_receipt_says_when_an_order_arrived_and_not_when_that_is_not_known():
    registry = fleet(said("a", 3), now=1.0)
    registry.hear(said("a", 3), 1.5)
    registry.hear(said("a", 6), 2.0)
    registry.hear(said("a", 6), 2.5)
    registry.hear(said("a", 7), 3.0)

    def at(seq: int) -> float | None:
        (acknowledged,) = registry.receipt(seq, OURS, None, 3.0).applied
        return acknowledged.at

    assert [at(seq) for seq in (3, 4, 6, 7)] == [None, 2.0, 2.0, 3.0]


def test_arrivals_are_forgotten_after_so_many_more():
    registry = fleet(said("a", 0))
    for applied in range(1, MAX_STEPS + 3):
        registry.hear(said("a", applied), float(applied))
    assert registry.receipt(2, OURS, None, 40.0).applied == (Acknowledged("a", "eu", None),)
    assert registry.receipt(4, OURS, None, 40.0).applied == (Acknowledged("a", "eu", 4.0),)


def test_what_is_missing_is_told():
    registry = fleet(said("a", 4), now=1.0)
    (missing,) = registry.receipt(5, OURS, None, 2.0).pending
    assert (missing.node, missing.applied, missing.history, missing.silent) == ("a", 4, OURS, 1.0)
    assert not missing.contested


def test_two_nodes_with_one_name_acknowledge_nothing():
    registry = Registry()
    heard = [
        registry.hear(said("a", 9, instance=which), at)
        for at, which in enumerate(("one", "two", "one", "two"))
    ]
    assert heard == [Heard.NEW, Heard.NEW, Heard.CONTESTED, Heard.CONTESTED]
    (missing,) = registry.receipt(5, OURS, None, 3.0).pending
    assert missing.contested


def test_three_nodes_with_one_name_are_found_out_too():
    registry = Registry()
    heard = [registry.hear(said("a", 9, instance=str(at % 3)), float(at)) for at in range(4)]
    assert heard[-1] is Heard.CONTESTED


def test_a_name_is_no_longer_contested_when_one_of_two_is_gone():
    registry = Registry()
    for at, which in enumerate(("one", "two", "one")):
        registry.hear(said("a", 9, instance=which), float(at))
    assert registry.hear(said("a", 9), 2.0 + CONTESTED_SECONDS) is Heard.CONTESTED
    assert registry.hear(said("a", 9), 2.1 + CONTESTED_SECONDS) is Heard.KNOWN
    assert registry.receipt(5, OURS, None, 2.1 + CONTESTED_SECONDS).is_complete


def test_a_node_that_restarts_often_contests_nothing():
    registry = Registry()
    assert {registry.hear(said("a", 9, instance=f"{at}"), float(at)) for at in range(20)} == {Heard.NEW}


def test_who_is_silent_for_an_hour_is_forgotten():
    registry = fleet(said("a"), said("b"))
    registry.hear(said("a"), 10.0)
    assert registry.forget(FORGET_SECONDS) == ()
    assert registry.forget(FORGET_SECONDS + 1.0) == ("b",)
    assert [member.presence.node for member in registry.members()] == ["a"]
    assert registry.member("b") is None


def test_there_are_only_so_many_and_the_longest_silent_makes_room():
    registry = Registry(max_nodes=2)
    assert registry.hear(said("a"), 0.0) is Heard.NEW
    assert registry.hear(said("b"), 1.0) is Heard.NEW
    assert registry.hear(said("c"), 2.0) is Heard.FULL
    assert registry.hear(said("a"), 2.0) is Heard.KNOWN, "those that are known go on"
    assert registry.hear(said("c"), 1.1 + LIVE_SECONDS) is Heard.NEW
    assert [member.presence.node for member in registry.members()] == ["a", "c"]
    assert len(registry) == 2


def test_the_live_ones_are_counted():
    registry = fleet(said("a"), said("b"))
    registry.hear(said("a"), 3.0)
    assert registry.live(3.0) == 2
    assert registry.live(LIVE_SECONDS + 1.0) == 1
    assert registry.live(LIVE_SECONDS + 10.0) == 0


HEARD = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(("one", "two")),
    st.sampled_from((OURS, THEIRS)),
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from((0.0, 0.1, 1.0, LIVE_SECONDS, 20.0)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(HEARD, max_size=25), st.integers(0, 4), st.integers(1, 3))
def test_no_node_is_called_done_whose_last_word_was_not_that_it_is(heard, seq: int, most: int):
    registry, now = Registry(max_nodes=most), 0.0
    last: dict[str, tuple[str, int, float]] = {}
    for node, instance, history, applied, leaving, later in heard:
        now += later
        presence = replace(said(node, applied, instance=instance, history=history), leaving=leaving)
        if registry.hear(presence, now) in {Heard.NEW, Heard.KNOWN, Heard.CONTESTED}:
            last[node] = (history, applied, now)
        assert len(registry) <= most
    receipt = registry.receipt(seq, OURS, None, now)
    for done in receipt.applied:
        history, applied, at = last[done.node]
        assert history == OURS
        assert applied >= seq
        assert done.at is None or done.at <= at
    for pending in receipt.pending:
        assert now - last[pending.node][2] <= LIVE_SECONDS
    for away in receipt.away:
        assert now - last[away.node][2] > LIVE_SECONDS
    everybody = [each for group in names(receipt) for each in group]
    assert sorted(everybody) == [member.presence.node for member in registry.members()]
    assert registry.live(now) == sum(member.is_live(now) for member in registry.members())
