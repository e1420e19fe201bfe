"""In which order origins are asked, and that each gets its part."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.rules import Balance
from origin_shield.balance import Balancer, Candidate


def line(balancer: Balancer, *candidates: Candidate, target: bytes = b"/a") -> str:
    return "".join(candidate.name for candidate in balancer.order(candidates, target))


def firsts(balancer: Balancer, *candidates: Candidate, times: int = 1000) -> Counter[str]:
    return Counter(line(balancer, *candidates, target=b"/%d" % n)[0] for n in range(times))


A, B, C = Candidate("a"), Candidate("b"), Candidate("c")
SPARE = Candidate("s", is_backup=True)


def test_order_is_the_order_of_the_settings():
    balancer = Balancer(Balance.ORDER)
    assert [line(balancer, B, A, SPARE, C) for _ in range(2)] == ["bacs", "bacs"]


@pytest.mark.parametrize("policy", list(Balance))
def test_backups_come_last_in_their_order_whatever_they_weigh(policy: Balance):
    other = Candidate("t", weight=900, is_backup=True)
    for n in range(20):
        said = line(Balancer(policy), SPARE, A, other, B, target=b"%d" % n)
        assert (sorted(said[:2]), said[2:]) == (["a", "b"], "st")


@pytest.mark.parametrize("policy", list(Balance))
def test_where_there_is_one_there_is_no_choice(policy: Balance):
    assert line(Balancer(policy), A) == "a"
    assert line(Balancer(policy), A, SPARE) == "as"
    assert line(Balancer(policy)) == ""


def test_round_robin_goes_by_turns_and_never_many_in_a_row():
    even = Balancer(Balance.ROUND_ROBIN)
    assert [line(even, A, B, C) for _ in range(4)] == ["abc", "bca", "cab", "abc"]
    heavy = Balancer(Balance.ROUND_ROBIN)
    assert "".join(line(heavy, Candidate("a", 5), B, C)[0] for _ in range(7)) == "aabacaa"


@pytest.mark.parametrize("policy", [Balance.ROUND_ROBIN, Balance.HASH])
def test_each_is_first_by_its_weight(policy: Balance):
    candidates = [Candidate(name, weight) for name, weight in (("a", 6), ("b", 3), ("c", 1))]
    told = dict(firsts(Balancer(policy), *candidates))
    assert told == pytest.approx({"a": 600, "b": 300, "c": 100}, abs=50)


@pytest.mark.parametrize(
    "loads,first",
    [((0, 0, 0), "a"), ((1, 0, 0), "b"), ((1, 1, 0), "c"), ((5, 9, 7), "a"), ((2, 2, 2), "a")],
)
def test_least_is_the_one_with_the_fewest_under_way(loads: tuple[int, int, int], first: str):
    candidates = (Candidate(name, load=load) for name, load in zip("abc", loads, strict=True))
    assert line(Balancer(Balance.LEAST), *candidates)[0] == first


def test_least_counts_by_weight_and_takes_turns_between_equals():
    balancer = Balancer(Balance.LEAST)
    assert line(balancer, Candidate("a", 4, load=6), Candidate("b", 1, load=1))[0] == "a"
    assert firsts(Balancer(Balance.LEAST), A, B) == {"a": 500, "b": 500}


def test_hash_sends_the_same_target_to_the_same_origin_and_moves_only_what_it_must():
    balancer = Balancer(Balance.HASH)
    targets = [b"/%d" % n for n in range(300)]
    before = {target: line(balancer, A, B, C, target=target) for target in targets}
    assert before == {target: line(balancer, C, A, B, target=target) for target in targets}
    for target in targets:
        assert line(balancer, A, C, target=target) == before[target].replace("b", "")


@pytest.mark.parametrize("policy", list(Balance))
def test_who_has_just_returned_gets_a_part(policy: Balance):
    back = Candidate("a", share=0.25)
    told = firsts(Balancer(policy), back, B)
    if policy is Balance.LEAST:
        assert told == {"b": 1000}, "while the other has nothing under way"
        assert line(Balancer(policy), back, Candidate("b", load=9))[0] == "a"
    elif policy is Balance.ORDER:
        assert told == {"a": 250, "b": 750}
    else:
        assert told["a"] == pytest.approx(200, abs=40)


def test_a_primary_that_returns_shares_with_its_backup_at_first():
    assert firsts(Balancer(Balance.ORDER), Candidate("a", share=0.125), SPARE) == {"a": 125, "s": 875}


@settings(max_examples=40)
@given(
    st.sampled_from(list(Balance)),
    st.lists(
        st.builds(
            Candidate,
            st.sampled_from("abcdef"),
            st.integers(1, 9),
            st.integers(0, 9),
            st.sampled_from([0.1, 0.5, 1.0]),
            st.booleans(),
        ),
        unique_by=lambda candidate: candidate.name,
    ),
)
def test_everybody_is_in_the_order_once(policy: Balance, candidates: list[Candidate]):
    balancer = Balancer(policy)
    for target in (b"/a", b"/b", b"/c"):
        order = balancer.order(candidates, target)
        assert sorted(c.name for c in order) == sorted(c.name for c in candidates)
