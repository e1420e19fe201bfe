"""The purge table after a restart, and beside a plain list of orders."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable, Standing, Verdict
from tests.kit.purges import NAMES, VARY, keys_of, standing, table

VOUCHED, HARD, SOFT, UNKNOWN = Standing.VOUCHED, Standing.HARD, Standing.SOFT, Standing.UNKNOWN

items = st.sampled_from([*dict.fromkeys(item for item, _, _ in NAMES)])
orders = st.builds(
    PurgeOrder,
    id=st.just("p"),
    at=st.integers(0, 9).map(float).map(UnixSeconds),
    items=st.lists(items, min_size=1, max_size=3).map(tuple),
    soft=st.booleans(),
)
ALL = [*dict.fromkeys(stored for _, stored, _ in NAMES)]


def told(made: PurgeTable) -> list[object]:
    """Everything that can be asked of it."""
    top = made.applied + 2
    return [
        (made.applied, made.floor, made.latest, made.items, list(made.orders)),
        [
            made.standing(each, clean, need, VARY)
            for each in ALL
            for clean in range(top)
            for need in (0, top - 1)
        ],
        [made.vouches_unseen(each.key, each.selectors, fence, 0) for each in ALL for fence in range(top)],
    ]


@given(before=st.lists(orders, max_size=6), after=st.lists(orders, max_size=3), max_items=st.integers(2, 12))
@settings(max_examples=40, deadline=None)
def test_restored_and_replayed_it_says_what_it_would_have_said(
    before: list[PurgeOrder], after: list[PurgeOrder], max_items: int
):
    made = table(*before, max_items=max_items)
    again = PurgeTable(keys_of, max_items)
    again.restore(made.applied, made.floor, list(made.orders))
    assert told(again) == told(made)
    for each in after:
        for one in (made, again):
            one.apply(each, one.applied + 1)
    again.rekey()
    assert told(again) == told(made)


@given(said=st.lists(orders, max_size=6), max_items=st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_what_it_says_is_what_the_list_of_orders_says(said: list[PurgeOrder], max_items: int):
    """The predicate once more, by going through all orders; each of them alone is in the tables above."""
    made = table(*said, max_items=max_items)
    for stored in ALL:
        for clean in range(len(said) + 1):
            verdict = made.standing(stored, clean, 0, VARY)
            after = [
                (position, each.soft, each.at)
                for position, each in enumerate(said, 1)
                if position > max(clean, made.floor)
                and standing(table(PurgeOrder("p", each.at, each.items)), stored) is HARD
            ]
            if any(not soft for _, soft, _ in after):
                assert verdict == Verdict(HARD)
            elif clean < made.floor:
                assert verdict == Verdict(UNKNOWN)
            elif after:
                assert verdict == Verdict(SOFT, after[-1][2])
            else:
                assert verdict == Verdict(VOUCHED)
