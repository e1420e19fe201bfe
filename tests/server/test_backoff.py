"""A worker that keeps dying is started less and less often; one that lived is forgiven."""

from __future__ import annotations

from edge.server.backoff import FIRST_SECONDS, FORGIVEN_SECONDS, LONGEST_SECONDS, Backoff


def test_the_first_restart_is_at_once_and_each_further_one_later():
    backoff = Backoff()
    pauses = [backoff.pause(0.0) for _ in range(8)]
    assert pauses[0] == FIRST_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_SECONDS


def test_a_life_of_some_length_makes_up_for_what_was():
    backoff = Backoff()
    for _ in range(8):
        backoff.pause(FORGIVEN_SECONDS - 1.0)
    assert backoff.pause(FORGIVEN_SECONDS) == FIRST_SECONDS
