"""What was used lately stays, what was not goes, and the bound holds. edge/recent.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.recent import Recent

OPS = st.lists(st.tuples(st.sampled_from(("put", "get")), st.integers(0, 20)), max_size=200)


@given(half=st.integers(1, 5), ops=OPS)
def test_what_is_found_was_put_last_and_the_latest_half_is_always_there(
    half: int, ops: list[tuple[str, int]]
):
    recent, truth, order = Recent[int, int](half), dict[int, int](), list[int]()
    for turn, (op, key) in enumerate(ops):
        if op == "put":
            recent.put(key, turn)
            truth[key] = turn
            order = [each for each in order if each != key] + [key]
        else:
            found = recent.get(key)
            assert found is None or found == truth[key]
            if found is not None:
                order = [each for each in order if each != key] + [key]
        assert len(recent.young) <= half
        assert len(recent) <= 2 * half
        for kept in order[-half:]:
            assert recent.get(kept) == truth[kept]
            order = [each for each in order if each != kept] + [kept]


def test_what_is_asked_for_again_and_again_outlives_any_number_of_strangers():
    recent = Recent[int, str](4)
    recent.put(-1, "kept")
    for stranger in range(1_000):
        recent.put(stranger, "gone")
        assert recent.get(-1) == "kept"
    assert recent.get(0) is None


def test_after_clear_there_is_nothing():
    recent = Recent[int, int](1)
    recent.put(1, 1)
    recent.put(2, 2)
    recent.clear()
    assert (recent.get(1), recent.get(2), len(recent)) == (None, None, 0)


def test_long_entries_leave_sooner_so_that_their_bytes_have_a_bound():
    recent = Recent[bytes, int](1_000, 100, len)
    for number in range(500):
        recent.put(b"%040d" % number, number)
        assert recent.get(b"%040d" % number) == number
        assert 40 * len(recent) <= 2 * (100 + 40)
    recent.clear()
    for number in range(50):
        recent.put(b"%d" % (number % 10), number)
    assert len(recent) == 10, "what is put again weighs nothing more"
