"""The schedule of a constant rate: a slow answer costs all that were due meanwhile, and a late client is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.benching.pacing import Answers, BadAnswer, Tale, percentile

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
UNCHANGED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"


@given(answers=st.lists(st.sampled_from([OK, EMPTY, UNCHANGED]), max_size=5), data=st.data())
def test_answers_are_counted_in_whatever_pieces_they_come(answers: list[bytes], data: st.DataObject):
    sent = b"".join(answers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    reading, seen = Answers(), 0
    for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        seen += reading.feed(sent[start:stop])
        whole = sum(len(b"".join(answers[:number])) <= stop for number in range(1, len(answers) + 1))
        assert seen == whole


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"junk\r\n\r\n",
    ],
)
def test_what_is_no_good_answer_is_a_failure(said: bytes):
    with pytest.raises(BadAnswer):
        Answers().feed(OK + said)


def test_requests_are_due_at_even_distances_from_the_first_moment():
    tale = Tale(count=10, rate=5.0)
    assert [tale.due_by(now) for now in (0.0, 0.1, 0.2, 1.0, 1.79, 1.8, 60.0)] == [1, 1, 2, 6, 9, 10, 10]
    assert tale.due_at(5) == 1.0


def run(stall: float) -> Tale:
    """A thousand a second for a second; the server answers in 1 ms, but for a stall at 0.5 s, after which it has all at once."""
    tale = Tale(count=1000, rate=1000.0)
    for number in range(1000):
        due = tale.due_at(number)
        assert tale.was_sent(due) == number
        tale.was_answered(number, max(due + 0.001, 0.5 + stall if due >= 0.5 else 0.0))
    return tale


def test_a_stall_counts_for_all_who_were_due_and_not_once():
    """Who asks again only when he has his answer sees one slow answer of a hundred; two hundred were due."""
    told = run(stall=0.2).told()
    assert told.p50 == pytest.approx(0.001)
    assert told.p99 == pytest.approx(0.19, abs=0.002)
    assert told.p999 == pytest.approx(0.199, abs=0.002)
    assert (told.kept, told.late, told.answered) == (1.0, 0.0, 1000)
    assert run(stall=0.0).told().p999 == pytest.approx(0.001)


def test_a_client_that_falls_behind_says_so():
    tale = Tale(count=100, rate=100.0)
    for number in range(100):
        tale.was_sent(tale.due_at(number) + (0.5 if number >= 50 else 0.0))
    told = tale.told()
    # What was due at half a second and later went out half a second late: all but the first after the end.
    assert told.kept == 0.51
    assert told.late == pytest.approx(0.5)
    assert told.answered == 0
    assert not tale.is_over


def test_a_percentile_is_one_of_the_values():
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 0.999, 1.0)] == [
        1.0,
        50.0,
        99.0,
        100.0,
        100.0,
    ]
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) == 0.0


@pytest.mark.parametrize("percent", [1, 50, 90, 99])
def test_a_share_in_floats_takes_the_rank_that_whole_numbers_give(percent: int):
    """0.07 of 100 is more than 7 in floats, and would take the eighth; what is reported is not such a share."""
    values = [float(rank) for rank in range(1, 3001)]
    for count in range(1, len(values) + 1):
        rank = next_whole(count * percent, 100)
        assert percentile(values[:count], percent / 100) == rank, count


def next_whole(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
