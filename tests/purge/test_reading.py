"""The reader of the log, one situation each; tests/models/test_purge_reading.py has the rest."""

from __future__ import annotations

import pytest

from edge.purge.reading import MAX_AHEAD, MAX_DOUBTS, RECENT, Reading
from edge.purge.reading_steps import (
    AskAnchor,
    AskBatch,
    AskHistory,
    AskLeader,
    AskState,
    Began,
    Begin,
    Entry,
    LogState,
    ReadOrder,
    ReadOther,
    Rest,
    SayHistory,
    natural_history,
)
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import NewHistory, PurgeOrder, Tick, encode
from edge.semantics.selectors import Everything

ORDER = PurgeOrder("o", UnixSeconds(0.0), (Everything(),))
DATA = encode(ORDER)
H1, H2 = "1" * 16, "2" * 16
NATURAL = natural_history("c")


def stamp(seq: int) -> str:
    return f"t{seq:06}"


def entry(seq: int, data: bytes = DATA, at: str | None = None) -> Entry:
    return Entry(seq, stamp(seq) if at is None else at, data)


def history(seq: int, name: str, at: str | None = None) -> Entry:
    return entry(seq, encode(NewHistory(name, "n", UnixSeconds(0.0))), at)


def said(last: int, *, first: int = 1, created: str = "c", leader: str = "l") -> LogState:
    return LogState(created, first, last, leader, stamp(last) if last else "")


def at(seq: int, name: str = NATURAL) -> Reading:
    """One that follows, and has read up to `seq`, in a log that ends there."""
    reading = Reading()
    reading.resume("c", name, seq, stamp(seq))
    reading.connected()
    reading.state(said(seq), reading.asking_state())
    reading.anchor(stamp(seq))
    assert reading.is_caught_up
    return reading


def test_who_knows_nothing_begins_at_the_end_of_the_log():
    reading = Reading()
    assert (reading.next(), reading.is_caught_up) == (AskState(), False)
    reading.state(said(7), reading.asking_state())
    assert reading.next() == AskHistory()
    assert reading.last_history(None) == [Begin(NATURAL, 7, Began.NEW)]
    assert reading.next() == AskAnchor(7)
    assert reading.anchor(stamp(7)) == []
    assert (reading.next(), reading.is_caught_up) == (Rest(), True)


def test_an_empty_log_has_no_anchor():
    reading = Reading()
    reading.state(said(0), reading.asking_state())
    assert reading.last_history(None) == [Begin(NATURAL, 0, Began.NEW)]
    assert reading.next() == Rest()
    assert reading.live(entry(1)) == [ReadOrder(1, ORDER)]


def test_the_history_is_what_a_message_said_last():
    reading = Reading()
    reading.state(said(7), reading.asking_state())
    assert reading.last_history(history(4, H1)) == [Begin(H1, 7, Began.NEW)]
    assert reading.history == H1


def test_a_history_that_was_said_after_we_looked_is_where_we_begin():
    reading = Reading()
    reading.state(said(7), reading.asking_state())
    assert reading.last_history(history(9, H1)) == [Begin(H1, 9, Began.NEW)]
    assert (reading.stamp, reading.next()) == (stamp(9), Rest())


def test_messages_are_read_in_order_and_once():
    reading = at(5)
    tick = Tick(UnixSeconds(0.0), "n", {"n": ("i", 1)})
    assert reading.live(entry(6)) == [ReadOrder(6, ORDER)]
    assert reading.live(entry(6)) == []
    assert reading.live(entry(7, encode(tick))) == [ReadOther(7, tick)]
    (bad,) = reading.live(entry(8, b"nonsense"))
    assert isinstance(bad, ReadOther) and bad.fault
    assert reading.applied == 8


def test_what_comes_early_waits_for_the_hole_to_be_filled():
    reading = at(5)
    assert reading.live(entry(8)) == []
    assert reading.next() == AskBatch(5), "from the anchor on"
    results = list(reading.fetched([entry(5), entry(6), entry(7)]))
    assert [result.seq for result in results] == [6, 7, 8]
    assert reading.next() == Rest()


def test_live_messages_may_come_while_a_batch_is_being_read():
    reading = at(5)
    reading.live(entry(8))
    results = reading.fetched([entry(6), entry(7), entry(8)])
    assert next(results) == ReadOrder(6, ORDER)
    assert reading.live(entry(7)) == [ReadOrder(7, ORDER), ReadOrder(8, ORDER)]
    assert list(results) == []
    assert reading.applied == 8


def test_what_comes_early_is_bounded():
    reading = at(5)
    for seq in range(7, MAX_AHEAD + 20):
        reading.live(entry(seq))
    assert len(reading._ahead) == MAX_AHEAD
    assert reading.head == MAX_AHEAD + 19


def test_an_empty_answer_of_a_replica_is_asked_of_the_leader():
    reading = at(5)
    reading.live(entry(7))
    assert list(reading.fetched([])) == []
    assert reading.next() == AskLeader(6)
    assert reading.leader_has(entry(6)) == [ReadOrder(6, ORDER), ReadOrder(7, ORDER)]


def test_a_hole_is_believed_of_the_leader_only_and_makes_what_is_older_unknown():
    reading = at(5)
    reading.live(entry(9))
    assert list(reading.fetched([entry(8), entry(9)])) == []
    assert reading.next() == AskLeader(6)
    assert reading.leader_has(entry(8)) == [
        Begin(NATURAL, 7, Began.HOLE),
        ReadOrder(8, ORDER),
        ReadOrder(9, ORDER),
    ]


def test_a_message_that_nobody_has_is_not_waited_for():
    reading = at(5)
    reading.live(entry(9))
    list(reading.fetched([]))
    assert reading.leader_has(None) == []
    assert (reading.head, reading.next()) == (5, AskState(is_again=True))


def test_nothing_is_read_on_a_new_connection_before_the_anchor_was_seen():
    reading = at(5)
    reading.connected()
    assert reading.live(entry(6)) == []
    assert (reading.is_caught_up, reading.next()) == (False, AskState())
    reading.state(said(6), reading.asking_state())
    assert reading.next() == AskAnchor(5)
    assert reading.anchor(stamp(5)) == [ReadOrder(6, ORDER)]


def test_another_leader_is_asked_for_the_anchor():
    reading = at(5)
    reading.look()
    reading.state(said(5, leader="other"), reading.asking_state())
    assert reading.next() == AskAnchor(5)


def test_another_creation_time_is_another_log():
    reading = at(5)
    reading.connected()
    reading.state(said(2, created="d"), reading.asking_state())
    assert reading.next() == AskHistory()
    assert reading.last_history(None) == [Begin(natural_history("d"), 2, Began.RECREATED)]
    assert not reading.suspended


def test_a_log_that_no_longer_reaches_back_makes_what_is_older_unknown():
    reading = at(5)
    reading.connected()
    reading.state(said(20, first=7), reading.asking_state())
    assert reading.next() == AskHistory()
    assert reading.last_history(None) == [Begin(NATURAL, 20, Began.EXPIRED)]


@pytest.mark.parametrize("first,last", [(6, 8), (6, 5)])
def test_a_log_that_reaches_back_to_the_next_message_is_read_on(first: int, last: int):
    reading = at(5)
    reading.connected()
    reading.state(said(last, first=first), reading.asking_state())
    assert reading.next() == (AskBatch(5) if last > 5 else Rest())


def test_one_answer_that_ends_too_early_is_doubted_and_several_are_believed():
    reading = at(5)
    for times in range(MAX_DOUBTS):
        assert not reading.suspended
        assert reading.next() == (AskState(is_again=True) if times else Rest())
        reading.look()
        reading.state(said(3), reading.asking_state())
    assert (reading.suspended, reading.rewinds, reading.next()) == (True, 1, AskHistory())


def test_an_answer_from_before_a_live_message_is_no_reason_to_doubt():
    reading = at(5)
    reading.look()
    asked_at = reading.asking_state()
    reading.live(entry(6))
    reading.state(said(5), asked_at)
    assert reading.next() == Rest()


def test_a_number_given_twice_suspends_at_once_and_the_anchor_decides():
    reading = at(5)
    reading.live(entry(6))
    reading.live(entry(6, at="t9"))
    assert (reading.suspended, reading.next()) == (True, AskState())
    reading.state(LogState("c", 1, 6, "l", "t9"), reading.asking_state())
    assert reading.next() == AskAnchor(6)
    reading.anchor("t9")
    assert reading.next() == AskHistory()


def test_an_anchor_that_is_still_there_ends_a_false_alarm():
    reading = at(5)
    reading.live(entry(6))
    reading.live(entry(6, at="t9"))
    reading.state(said(6), reading.asking_state())
    reading.anchor(stamp(6))
    assert (reading.suspended, reading.is_caught_up) == (False, True)


def test_a_number_too_old_to_be_remembered_only_asks_for_the_anchor():
    reading = at(5)
    for seq in range(6, RECENT + 10):
        reading.live(entry(seq))
    reading.live(entry(6, at="t9"))
    assert (reading.suspended, reading.next()) == (False, AskState())


def test_the_last_time_stamp_of_the_log_tells_what_the_numbers_do_not():
    reading = at(5)
    reading.look()
    reading.state(LogState("c", 1, 5, "l", "t9"), reading.asking_state())
    assert (reading.suspended, reading.next()) == (True, AskAnchor(5))


def test_a_batch_that_begins_with_another_anchor_is_not_read():
    reading = at(5)
    reading.look()
    reading.state(said(8), reading.asking_state())
    assert reading.next() == AskBatch(5)
    assert list(reading.fetched([entry(5, at="t9"), entry(6), entry(7)])) == []
    assert (reading.applied, reading.suspended, reading.next()) == (5, True, AskState())


def rewound() -> Reading:
    reading = at(5)
    reading.connected()
    reading.state(LogState("c", 1, 8, "l", "t9"), reading.asking_state())
    reading.anchor("t9")
    assert (reading.suspended, reading.next()) == (True, AskHistory())
    return reading


def test_a_rewound_log_gets_a_new_history_once_and_is_read_on_from_there():
    reading = rewound()
    assert reading.last_history(None) == []
    ask = reading.next()
    assert isinstance(ask, SayHistory)
    assert reading.next() == ask, "until it was acknowledged, and the same for all who found the same"
    reading.history_said()
    assert reading.next() == AskHistory()
    assert reading.last_history(history(9, ask.history)) == [Begin(ask.history, 9, Began.REWOUND)]
    assert (reading.suspended, reading.next()) == (False, Rest())
    assert reading.live(entry(10)) == [ReadOrder(10, ORDER)]


def test_a_new_history_that_another_reader_said_is_taken():
    reading = rewound()
    assert reading.last_history(history(8, H1, at="u")) == [Begin(H1, 8, Began.REWOUND)]


@pytest.mark.parametrize("name,when", [(H1, stamp(4)), (NATURAL, "u")])
def test_an_old_history_and_our_own_are_not_taken_for_a_new_one(name: str, when: str):
    reading = rewound()
    assert reading.last_history(history(4, name, at=when)) == []
    assert isinstance(reading.next(), SayHistory)


def test_our_own_words_are_taken_whatever_the_servers_clock_says():
    reading = rewound()
    reading.last_history(None)
    ask = reading.next()
    assert isinstance(ask, SayHistory)
    reading.history_said()
    assert reading.last_history(history(9, ask.history, at="a")) == [Begin(ask.history, 9, Began.REWOUND)]


def test_an_anchor_that_is_missing_is_believed_after_a_while():
    reading = at(5)
    reading.connected()
    for _ in range(MAX_DOUBTS):
        assert not reading.suspended
        reading.state(said(8), reading.asking_state())
        assert reading.next() == AskAnchor(5)
        reading.anchor(None)
    assert (reading.suspended, reading.next()) == (True, AskHistory())


def test_a_new_history_that_is_read_in_order_begins_there():
    reading = at(5)
    assert reading.live(history(6, H1)) == [Begin(H1, 6, Began.REWOUND)]
    assert reading.live(history(7, H1)) == [ReadOther(7)], "said again, so that it stays in the log"
    assert reading.live(history(8, H2)) == [Begin(H2, 8, Began.REWOUND)]


def test_what_waited_from_before_a_new_connection_is_forgotten():
    reading = at(5)
    reading.live(entry(9, at="t9"))
    reading.connected()
    reading.state(said(5), reading.asking_state())
    reading.anchor(stamp(5))
    assert reading.next() == Rest()
