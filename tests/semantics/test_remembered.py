"""What is made once of fields that come again, known by the object that they are."""

from __future__ import annotations

from edge.semantics.message import Fields
from edge.semantics.remembered import REMEMBERED_BYTES, Remembered


def fields(value: bytes = b"text/html") -> Fields:
    return Fields(((b"Accept", value),))


def test_it_is_known_by_the_object_and_not_by_what_it_says():
    memory: Remembered[str] = Remembered()
    one, equal = fields(), fields()
    memory.keep(one, "made of one")
    assert memory.get(one) == "made of one"
    assert memory.get(equal) is None


def test_what_else_it_was_made_of_counts():
    memory: Remembered[str] = Remembered()
    one = fields()
    memory.keep(one, "for a", "a")
    memory.keep(one, "for b", "b")
    assert [memory.get(one, more) for more in ("a", "b", "c", None)] == ["for a", "for b", None, None]


def test_the_oldest_goes_and_what_is_remembered_is_held():
    memory: Remembered[int] = Remembered(3)
    for number in range(
        100
    ):  # nobody else holds these: one that was freed would give its identity to a later one
        made = fields(b"%d" % number)
        assert memory.get(made) is None
        memory.keep(made, number)
        assert memory.get(made) == number
        assert len(memory) <= 3


def test_what_is_very_long_is_not_remembered():
    memory: Remembered[int] = Remembered()
    long = fields(b"a" * REMEMBERED_BYTES)
    memory.keep(long, 1)
    assert memory.get(long) is None
    fits = fields(b"a" * (REMEMBERED_BYTES - len(b"Accept")))
    memory.keep(fits, 2)
    assert memory.get(fits) == 2
