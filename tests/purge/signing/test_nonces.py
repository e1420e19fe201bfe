"""A nonce that was used is known as long as it could be used again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.signing.nonces import Nonces

MAX_AGE, SKEW = 300.0, 30.0
NOW = 1_000_000.0


def nonces(capacity: int = 1_000) -> Nonces:
    return Nonces(MAX_AGE, SKEW, capacity=capacity)


def test_a_used_nonce_is_seen():
    used = nonces()
    assert not used.seen("k", "n", created=NOW)
    used.remember("k", "n", at=NOW, now=NOW)
    assert used.seen("k", "n", created=NOW)
    assert not used.seen("k", "m", created=NOW)
    assert not used.seen("l", "n", created=NOW)


def test_key_and_nonce_do_not_run_into_each_other():
    used = nonces()
    used.remember("ab", "c", at=NOW, now=NOW)
    assert not used.seen("a", "bc", created=NOW)


def test_it_is_forgotten_when_no_request_with_it_can_be_taken():
    used = nonces()
    used.remember("k", "n", at=NOW, now=NOW)
    used.remember("k", "m", at=NOW + 330, now=NOW + 330)
    assert used.seen("k", "n", created=NOW)
    used.remember("k", "o", at=NOW + 331, now=NOW + 331)
    assert not used.seen("k", "n", created=NOW)
    assert len(used) == 2


def test_an_old_order_of_the_log_costs_no_memory():
    used = nonces()
    used.remember("k", "n", at=NOW - 331, now=NOW)
    assert len(used) == 0


def test_an_order_that_is_read_twice_counts_once():
    used = nonces()
    for _ in range(2):
        used.remember("k", "n", at=NOW, now=NOW)
    assert len(used) == 1


def test_a_full_memory_refuses_what_is_as_old_as_what_it_had_to_forget():
    used = nonces(capacity=2)
    for second, nonce in enumerate(("a", "b", "c")):
        used.remember("k", nonce, at=NOW + second, now=NOW + 2)
    assert len(used) == 2
    assert used.seen("k", "a", created=NOW)
    assert used.seen("k", "never used", created=NOW)
    assert not used.seen("k", "never used", created=NOW + 31)


def test_a_snapshot_goes_on_where_it_was():
    used = nonces(capacity=2)
    for second, nonce in enumerate(("a", "b", "c")):
        used.remember("k", nonce, at=NOW + second, now=NOW + 2)
    restored = Nonces(MAX_AGE, SKEW, capacity=2, was=used.snapshot())
    assert all(restored.seen("k", nonce, created=NOW) for nonce in "abc")
    assert not restored.seen("k", "d", created=NOW + 31)
    assert restored.snapshot() == used.snapshot()


def test_a_memory_of_nothing_is_a_mistake():
    with pytest.raises(AssertionError):
        nonces(capacity=0)


@dataclass(frozen=True)
class Use:
    """A request that is signed, taken and put into the log. late: seconds from signing to taking."""

    after: float
    nonce: str
    late: float
    by_order: bool


USES = st.lists(
    st.builds(
        Use,
        after=st.floats(0, 200),
        nonce=st.sampled_from("abcdef"),
        late=st.floats(-SKEW, MAX_AGE),
        by_order=st.booleans(),
    ),
    max_size=30,
)


@given(USES, st.integers(1, 4), st.booleans())
@settings(max_examples=100)
def test_no_request_is_ever_taken_twice(uses: list[Use], capacity: int, restarted: bool):
    used = Nonces(MAX_AGE, SKEW, capacity=capacity)
    taken: list[tuple[str, float]] = []
    now = NOW
    for use in uses:
        now += use.after
        created = now - use.late
        for nonce, was_created in taken:
            if -SKEW <= now - was_created <= MAX_AGE:  # `verify` would let it through
                assert used.seen("k", nonce, created=was_created)
        if used.seen("k", use.nonce, created=created):
            continue
        taken.append((use.nonce, created))
        used.remember("k", use.nonce, at=now if use.by_order else created, now=now)
        if restarted:
            used = Nonces(MAX_AGE, SKEW, capacity=capacity, was=used.snapshot())
        assert len(used) <= capacity
