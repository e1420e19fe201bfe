"""What a soak claims: by whom, from when on, of what."""

from __future__ import annotations

from tools.soaking.checker import Checker
from tools.soaking.pages import Page

A, B = Page("paper", "news", 1), Page("paper", "news", 2)
LEASE = 15.0


def stale(
    checker: Checker, node: str, page: Page, version: int | None, *, asked: float, told: float = 1e6
) -> int:
    checker.answered(checker.asking(node, page, asked), version, told)
    return checker.counts.stale


def test_nothing_is_claimed_before_a_purge_was_acknowledged() -> None:
    checker = Checker(LEASE)
    assert stale(checker, "n1", A, 0, asked=0.0) == 0


def test_a_node_that_a_receipt_names_is_held_to_it_from_then_on() -> None:
    checker = Checker(LEASE)
    checker.accepted("o1", 1, {A: 5}, 10.0)
    checker.applied(["n1"], {A: 5})
    assert stale(checker, "n1", A, 5, asked=10.0) == 0
    assert stale(checker, "n1", A, 6, asked=10.0) == 0
    assert stale(checker, "n1", B, 1, asked=10.0) == 0
    assert stale(checker, "n2", A, 4, asked=10.0) == 0
    assert stale(checker, "n1", A, 4, asked=10.0) == 1


def test_a_request_that_began_before_the_acknowledgement_may_get_the_old_one() -> None:
    checker = Checker(LEASE)
    asked = checker.asking("n1", A, 9.0)
    checker.accepted("o1", 1, {A: 5}, 10.0)
    checker.applied(["n1"], {A: 5})
    checker.answered(asked, 4, 11.0)
    assert checker.counts.stale == 0


def test_after_the_lease_every_node_is_held_to_it() -> None:
    checker = Checker(LEASE)
    checker.accepted("o1", 1, {A: 5}, 10.0)
    assert stale(checker, "n2", A, 4, asked=24.9) == 0
    assert stale(checker, "n2", A, 4, asked=25.0) == 1


def test_an_older_acknowledgement_that_comes_later_takes_nothing_back() -> None:
    checker = Checker(LEASE)
    checker.applied(["n1"], {A: 7})
    checker.applied(["n1"], {A: 5})
    assert stale(checker, "n1", A, 6, asked=0.0) == 1


def test_a_damaged_body_is_counted_whatever_was_purged() -> None:
    checker = Checker(LEASE)
    stale(checker, "n1", A, None, asked=0.0)
    assert checker.counts.damaged == 1


def test_examples_say_what_happened() -> None:
    checker = Checker(LEASE)
    checker.applied(["n1"], {A: 5})
    checker.answered(checker.asking("n1", A, 3.0), 4, 4.0, "edge-1;hit")
    assert str(checker.examples[0]) == (
        "n1 http://paper.example/news/1  asked at 3.000 has v4, v5 was due; edge-1;hit"
    )


def test_a_purge_is_lost_when_the_log_does_not_have_it_where_it_said() -> None:
    checker = Checker(LEASE)
    for number, order in enumerate(("kept", "gone", "moved"), start=1):
        checker.accepted(order, number, {}, 0.0)
    assert checker.lost({"kept": 1, "moved": 7, "unacknowledged": 9}) == ["gone", "moved"]
