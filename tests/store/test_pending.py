"""What waits to be written, as a look-up sees it through."""

from __future__ import annotations

from edge.semantics.stored import StoredResponse
from edge.store.pending import (
    Call,
    Delete,
    DropBody,
    DropUnreadable,
    DropVariant,
    Operation,
    Pending,
    Put,
    Rehead,
)
from tests.kit.disk import primary
from tests.kit.stores import freshened, response

KEY = primary(1)
GZIP = ((b"accept-encoding", b"gzip"),)
OLD, OLD_BODY = response(1)
NEW, NEW_BODY = response(1)
OTHER, OTHER_BODY = response(1, nominated=GZIP)


def adding(*operations: Operation, pending: Pending | None = None) -> tuple[Pending, list[Operation]]:
    """What is carried out of these, all of which wait."""
    pending = Pending() if pending is None else pending
    return pending, [pending.add(operation) for operation in operations]


def drop(stored: StoredResponse) -> DropBody:
    return DropBody(stored.key, stored.nominated, stored.body_id)


def test_without_anything_waiting_the_disk_is_seen_as_it_is():
    pending = Pending()
    assert pending.seen(KEY, [OLD, OTHER]) == [OLD, OTHER]
    assert not pending.is_hidden(KEY)
    assert not pending.waits(KEY)
    assert pending.keys() == []
    assert pending.body(OLD) is None


def test_a_put_stands_before_what_the_disk_has_of_its_variant_until_it_is_done():
    pending, (put,) = adding(Put(NEW, NEW_BODY))
    assert pending.seen(KEY, [OLD, OTHER]) == [OTHER, NEW]
    assert pending.has_responses(KEY)
    assert pending.keys() == [KEY]
    assert pending.body(NEW) == NEW_BODY
    assert pending.body(OLD) is None
    pending.done(put)
    assert pending.seen(KEY, [NEW, OTHER]) == [NEW, OTHER]
    assert not pending.has_responses(KEY)
    assert pending.body(NEW) is None


def test_of_two_puts_the_later_one_is_seen_and_the_earlier_need_not_be_written():
    first, second = Put(OLD, OLD_BODY), Put(NEW, NEW_BODY)
    pending, _ = adding(first, second)
    assert pending.seen(KEY, []) == [NEW]
    assert (pending.is_current(first), pending.is_current(second)) == (False, True)
    assert pending.body(OLD) is None
    pending.done(first)
    assert pending.seen(KEY, []) == [NEW]
    pending.done(second)
    assert not pending.waits(KEY)


def test_a_delete_hides_the_disk_and_what_waited_before_it_but_not_what_waits_behind_it():
    pending, (put, delete, again) = adding(Put(OLD, OLD_BODY), Delete(KEY), Put(NEW, NEW_BODY))
    assert pending.seen(KEY, [OLD, OTHER]) == [NEW]
    assert pending.body(OLD) is None
    assert not pending.is_current(Put(OLD, OLD_BODY))
    pending.done(put)
    assert pending.seen(KEY, [OLD, OTHER]) == [NEW]
    pending.done(delete)
    assert not pending.is_hidden(KEY)
    assert pending.seen(KEY, []) == [NEW]
    pending.done(again)
    assert pending.seen(KEY, [NEW]) == [NEW]


def test_a_key_deleted_twice_is_hidden_until_the_second_one_is_done():
    pending, (first, second) = adding(Delete(KEY), Delete(KEY))
    pending.done(first)
    assert pending.is_hidden(KEY)
    pending.done(second)
    assert not pending.is_hidden(KEY)


def test_a_dropped_body_is_not_seen_but_another_one_in_its_place_is():
    pending, (dropped,) = adding(drop(OLD))
    assert pending.seen(KEY, [OLD, OTHER]) == [OTHER]
    assert pending.seen(KEY, [NEW]) == [NEW]
    pending.done(dropped)
    assert pending.seen(KEY, [OLD]) == [OLD]


def test_a_body_dropped_while_it_waits_takes_with_it_what_it_would_have_replaced():
    pending, (put, dropped) = adding(Put(NEW, NEW_BODY), drop(NEW))
    assert isinstance(dropped, DropVariant)
    assert pending.seen(KEY, [OLD]) == pending.seen(KEY, [NEW]) == []
    pending.done(put)
    assert pending.seen(KEY, [OLD]) == []
    pending.done(dropped)
    assert not pending.waits(KEY)


def test_a_dropped_variant_is_not_seen_whatever_it_is_and_the_others_are():
    pending, (dropped,) = adding(DropVariant(KEY, OLD.nominated))
    assert pending.seen(KEY, [OLD, OTHER]) == [OTHER]
    pending.done(dropped)
    assert pending.seen(KEY, [OTHER]) == [OTHER]


def test_a_new_head_is_seen_in_place_of_the_old_one():
    new = freshened(OLD)
    pending, (rehead,) = adding(Rehead(new))
    assert pending.seen(KEY, [OLD]) == [new]
    assert pending.seen(KEY, []) == []
    pending.done(rehead)
    assert pending.seen(KEY, [new]) == [new]


def test_a_new_head_for_a_body_that_waits_stays_until_both_are_written():
    new = freshened(NEW)
    pending, (put, rehead) = adding(Put(NEW, NEW_BODY), Rehead(new))
    assert pending.seen(KEY, [OLD]) == [new]
    assert pending.body(new) == pending.body(NEW) == NEW_BODY
    pending.done(put)
    assert pending.body(new) is None
    assert pending.seen(KEY, [NEW]) == [new]
    pending.done(rehead)
    assert not pending.waits(KEY)


def test_a_new_head_for_what_was_replaced_or_deleted_changes_nothing():
    new = freshened(OLD)
    for before in (Put(NEW, NEW_BODY), DropVariant(KEY, OLD.nominated), Delete(KEY), drop(OLD)):
        pending, _ = adding(before)
        seen = pending.seen(KEY, [OLD])
        pending.add(Rehead(new))
        assert pending.seen(KEY, [OLD]) == seen
        assert new not in seen


def test_a_call_and_an_unreadable_row_hide_nothing_but_are_waited_for():
    pending, operations = adding(Call(KEY, lambda: None), DropUnreadable(KEY, bytes(16)))
    assert pending.seen(KEY, [OLD]) == [OLD]
    for operation in operations:
        assert pending.waits(KEY)
        pending.done(operation)
    assert not pending.waits(KEY)


def test_other_keys_are_not_concerned():
    pending, _ = adding(Delete(KEY), Put(NEW, NEW_BODY))
    other, _ = response(2)
    assert pending.seen(other.key, [other]) == [other]
    assert not pending.is_hidden(other.key)


# -- what is owed --


def test_an_owed_key_is_hidden_until_it_was_paid_and_what_waits_for_it_is_seen():
    pending = Pending()
    for must in (True, False):
        pending.owe(KEY, must=must)
        assert pending.is_hidden(KEY)
        assert pending.seen(KEY, [OLD]) == []
        assert pending.owed(10) == (KEY,)
        put = pending.add(Put(NEW, NEW_BODY))
        assert pending.seen(KEY, [OLD]) == [NEW]
        pending.done(put)
        pending.paid([KEY])
        assert pending.seen(KEY, [NEW]) == [NEW]
        assert pending.owed(10) == ()


def test_failed_writes_are_owed_up_to_the_bound_and_the_oldest_is_let_off():
    pending = Pending(max_owed=2)
    for name in (1, 2, 3):
        pending.owe(primary(name), must=False)
    assert [pending.is_hidden(primary(name)) for name in (1, 2, 3)] == [False, True, True]
    assert not pending.emptyings


def test_beyond_the_bound_of_invalidations_everything_is_hidden_until_the_disk_was_emptied():
    pending = Pending(max_owed=2)
    for name in (1, 2, 3):
        pending.owe(primary(name), must=True)
    assert pending.owed(10) == ()
    assert all(pending.is_hidden(primary(name)) for name in range(10))
    pending.paid_all(pending.emptyings)
    assert not any(pending.is_hidden(primary(name)) for name in range(10))


def test_an_emptying_that_was_decided_while_another_was_under_way_is_owed_still():
    pending = Pending()
    pending.owe_all()
    began_with = pending.emptyings
    pending.owe_all()
    pending.paid_all(began_with)
    assert pending.is_hidden(KEY)
    pending.paid_all(pending.emptyings)
    assert not pending.is_hidden(KEY)
