"""The purge table: what each selector names, what is forgotten, and what that means."""

from __future__ import annotations

import pytest

from edge.semantics.key import primary_key
from edge.semantics.message import Authority
from edge.semantics.purge_table import MAX_VARIANT_ORDERS, Applied, PurgeTable, Standing, Verdict
from edge.semantics.rules import KeyRules
from edge.semantics.selectors import (
    MAX_TAGS,
    Everything,
    Group,
    Host,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
)
from edge.semantics.stored import Selectors, StoredResponse
from edge.values import replace
from tests.kit.purges import (
    HTTP,
    NAMES,
    PLAIN,
    TAGGED,
    VARIED,
    VARY,
    kept,
    keys_of,
    order,
    standing,
    table,
)
from tests.kit.stored_responses import HERE

VOUCHED, HARD, SOFT, UNKNOWN = Standing.VOUCHED, Standing.HARD, Standing.SOFT, Standing.UNKNOWN


# -- what is named --


@pytest.mark.parametrize("item, stored, named", NAMES)
def test_what_an_order_names_is_gone_and_nothing_else(item: Selector, stored: StoredResponse, named: bool):
    made = table(order(item))
    assert standing(made, stored) is (HARD if named else VOUCHED)
    assert standing(made, stored, clean=1) is VOUCHED


@pytest.mark.parametrize("item, stored, named", NAMES)
def test_what_a_soft_order_names_is_stale_since_it_was_accepted(
    item: Selector, stored: StoredResponse, named: bool
):
    made = table(order(item, soft=True, at=77.0))
    expected = Verdict(SOFT, 77.0) if named else Verdict(VOUCHED)
    assert made.standing(stored, 0, 0, VARY) == expected
    assert made.standing(stored, 1, 0, VARY) == Verdict(VOUCHED)


@pytest.mark.parametrize("item, stored, named", NAMES)
def test_what_can_be_known_of_a_request_keeps_it_from_a_fill(
    item: Selector, stored: StoredResponse, named: bool
):
    """By its tags and its variant nothing is known yet; by what is known, nothing is joined in vain."""
    of_request = replace(stored.selectors, tags=(), groups=())
    is_seen = named and not isinstance(item, Tag | Group | Variant)
    for soft in (False, True):
        made = table(order(item, soft=soft))
        assert made.vouches_unseen(stored.key, of_request, 0, 0) is not is_seen
        assert made.vouches_unseen(stored.key, of_request, 1, 0)


def test_all_that_one_order_names_is_gone_at_once():
    made = table(order(Uri(HERE, b"/x"), Tag("shop", b"red"), Host(b"b.example")))
    for stored in (TAGGED, kept(b"/x"), kept(authority=Authority(b"http", b"b.example", 80))):
        assert standing(made, stored) is HARD
    assert standing(made, VARIED) is VOUCHED


def test_a_tag_that_a_million_responses_carry_is_one_mark():
    made = table(order(Tag("shop", b"red")))
    assert standing(made, TAGGED) is HARD
    assert (made.items, len(made.orders), len(made._tags["shop"].marks)) == (1, 1, 1)


def test_a_response_with_more_tags_than_are_kept_goes_with_any_tag_and_group_of_its_own():
    lines = (
        (b"Surrogate-Key", b" ".join(b"t%d" % at for at in range(MAX_TAGS + 1))),
        (b"Cache-Groups", b", ".join(b'"g%d"' % at for at in range(MAX_TAGS + 1))),
    )
    crowded = kept(b"/a", *lines)
    for item, verdict in (
        (Tag("shop", b"t%d" % MAX_TAGS), HARD),
        (Tag("shop", b"none of them"), HARD),
        (Tag("other", b"t1"), VOUCHED),
        (Group(HERE, b"g%d" % MAX_TAGS), HARD),
        (Group(HTTP, b"g1"), VOUCHED),
    ):
        assert standing(table(order(item)), crowded) is verdict


# -- the predicate --


def test_the_newest_order_counts_and_a_hard_one_before_a_soft_one():
    made = table(
        order(Host(b"a.example"), soft=True, at=1.0),
        order(Tag("shop", b"red")),
        order(Site("shop"), soft=True, at=3.0),
        order(Tag("shop", b"blue"), soft=True, at=2.0),
    )
    assert [standing(made, TAGGED, clean) for clean in range(5)] == [HARD, HARD, SOFT, SOFT, VOUCHED]
    assert made.standing(TAGGED, 2, 0, VARY).since == made.standing(TAGGED, 3, 0, VARY).since == 2.0


def test_a_soft_order_after_a_hard_one_for_the_same_thing_takes_nothing_back():
    made = table(order(Tag("shop", b"red")), order(Tag("shop", b"red"), soft=True))
    assert [standing(made, TAGGED, clean) for clean in range(3)] == [HARD, SOFT, VOUCHED]


def test_what_the_asker_knows_and_we_have_not_read_is_not_vouched_for():
    made = table(order(Host(b"b.example")), order(Host(b"c.example")))
    assert standing(made, TAGGED, need=2) is VOUCHED
    assert standing(made, TAGGED, need=3) is UNKNOWN
    assert standing(made, TAGGED, clean=3, need=3) is VOUCHED
    assert not made.vouches_unseen(TAGGED.key, TAGGED.selectors, 2, 3)
    assert made.vouches_unseen(TAGGED.key, TAGGED.selectors, 3, 3)


def test_that_something_is_purged_is_said_though_the_asker_knows_more():
    made = table(order(Tag("shop", b"red")), order(Tag("shop", b"blue"), soft=True))
    assert standing(made, TAGGED, clean=0, need=9) is HARD
    assert standing(made, TAGGED, clean=1, need=9) is UNKNOWN


def test_positions_advance_one_by_one_and_ticks_move_no_hit():
    made = table(order(Host(b"b.example")))
    made.advance(2)
    assert (made.applied, made.latest) == (2, 1)
    for position in (1, 2, 4):
        with pytest.raises(AssertionError, match="hole"):
            made.advance(position)
        with pytest.raises(AssertionError, match="hole"):
            made.apply(order(Everything()), position)
    assert made.applied == 2
    assert not [each for each in made.orders if isinstance(each.order.items[0], Everything)]


# -- what is forgotten --


def test_below_the_floor_nothing_is_vouched_for_and_above_it_all_is_as_before():
    made = table(
        order(Host(b"b.example"), at=1.0), order(Tag("shop", b"red"), at=2.0), order(Everything(), at=9.0)
    )
    assert made.retire(9.0) == 2
    assert (made.floor, made.items, len(made.orders)) == (2, 1, 1)
    assert [standing(made, VARIED, clean) for clean in range(4)] == [HARD, HARD, HARD, VOUCHED]
    assert made.retire(10.0) == 1
    assert [standing(made, VARIED, clean) for clean in range(4)] == [UNKNOWN, UNKNOWN, UNKNOWN, VOUCHED]
    assert [made.vouches_unseen(VARIED.key, VARIED.selectors, fence, 0) for fence in (2, 3)] == [False, True]
    assert made.retire(10.0) == 0


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("item", dict.fromkeys(item for item, _, named in NAMES if named))
def test_nothing_is_kept_of_what_is_retired(item: Selector, soft: bool):
    made = table(order(item, soft=soft), order(item, soft=soft))
    made.retire(1.0)
    assert (made.floor, made.items, len(made.orders)) == (2, 0, 0)
    for each in (
        made._uris,
        made._variants,
        made._tags,
        made._groups,
        made._prefixes,
        made._hosts,
        made._sites,
    ):
        assert not each


@pytest.mark.parametrize("item", dict.fromkeys(item for item, _, named in NAMES if named))
def test_a_newer_order_for_the_same_thing_is_not_forgotten_with_the_older_one(item: Selector):
    stored = next(stored for each, stored, named in NAMES if each == item and named)
    made = table(order(item, at=0.0), order(item, at=5.0))
    made.retire(1.0)
    assert standing(made, stored, clean=1) is HARD


def test_beyond_the_bound_the_oldest_orders_are_retired():
    made = table(
        *(order(Tag("shop", b"t%d" % at), Tag("shop", b"u%d" % at)) for at in range(10)), max_items=6
    )
    assert (made.items, made.floor, made.applied) == (6, 7, 10)
    assert [each.position for each in made.orders] == [8, 9, 10]


def test_an_order_larger_than_the_bound_is_in_force_as_doubt_of_all_that_is_older():
    made = table(order(*(Tag("shop", b"t%d" % at) for at in range(7))), max_items=6)
    assert (made.items, made.floor, made.latest) == (0, 1, 1)
    assert standing(made, TAGGED) is UNKNOWN


def test_one_variant_too_many_names_all_of_them():
    uri = Uri(HERE, b"/a/b?c")

    def variant(at: int) -> Variant:
        return Variant(uri, ((b"accept-encoding", b"br"), (b"x", b"%d" % at)))

    made = table(*(order(variant(at)) for at in range(MAX_VARIANT_ORDERS)))
    assert standing(made, VARIED) is VOUCHED
    made.apply(order(variant(99), soft=True, at=5.0), made.applied + 1)
    assert made.standing(VARIED, 0, 0, VARY) == Verdict(SOFT, 5.0)
    made.apply(order(variant(100)), made.applied + 1)
    assert standing(made, VARIED) is HARD
    assert {len(each) for each in made._variants.values()} == {MAX_VARIANT_ORDERS}


def test_another_history_begins_with_nothing_known_of_what_was_before():
    made = table(order(Tag("shop", b"red")), order(Variant(Uri(HERE, b"/a/b?c"), ((b"accept", b"x"),))))
    made.begin(1000)
    assert (made.applied, made.floor, made.latest, made.items, len(made.orders)) == (1000, 1000, 1000, 0, 0)
    assert [standing(made, TAGGED, clean) for clean in (0, 2, 999, 1000)] == [
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
        VOUCHED,
    ]
    made.apply(order(Host(b"a.example")), 1001)
    assert [standing(made, TAGGED, clean) for clean in (1000, 1001)] == [HARD, VOUCHED]
    with pytest.raises(AssertionError, match="back"):
        made.begin(1000)


# -- rules that change --


def test_when_the_rules_of_a_site_change_a_purged_url_is_found_under_its_new_key():
    rules = {"now": PLAIN}

    def found(uri: Uri) -> tuple[bytes, ...]:
        return tuple(primary_key(authority, uri.target, rules["now"]) for authority in uri.authorities())

    made = PurgeTable(found)
    uri = Uri(HERE, b"/a/b?c")
    made.apply(order(uri), 1)
    made.apply(order(Variant(Uri(HERE, b"/v"), ((b"accept-encoding", b"gzip"),)), soft=True), 2)
    rules["now"] = KeyRules(headers=(b"x-device",))
    moved = replace(TAGGED, key=primary_key(HERE, b"/a/b?c", rules["now"]))
    varied = replace(VARIED, key=primary_key(HERE, b"/v", rules["now"]))
    assert [standing(made, each) for each in (moved, varied)] == [VOUCHED, VOUCHED]
    made.rekey()
    assert [standing(made, each) for each in (moved, varied)] == [HARD, SOFT]
    assert standing(made, moved, clean=1) is VOUCHED
    assert standing(made, TAGGED) is VOUCHED
    made.retire(1.0)
    assert not made._uris
    assert not made._variants


# -- after a restart --


def test_what_is_restored_out_of_order_is_no_table():
    one = Applied(1, order(Everything()))
    for applied, kept_orders in ((0, [one]), (2, [one, one]), (2, [Applied(2, one.order), one])):
        with pytest.raises(AssertionError, match="order"):
            PurgeTable(keys_of).restore(applied, 0, kept_orders)
    made = table(order(Everything()))
    with pytest.raises(AssertionError, match="twice"):
        made.restore(1, 0, [])


def test_a_response_that_nothing_is_known_of_is_named_by_everything_only():
    nowhere = replace(TAGGED, selectors=Selectors("", Authority(b"http", b"", 80), b""))
    assert standing(table(order(Everything())), nowhere) is HARD
    assert standing(table(order(Site("shop"), Host(b"a.example"))), nowhere) is VOUCHED
