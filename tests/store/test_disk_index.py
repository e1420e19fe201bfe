"""The index of the disk tier: what is held for a primary, what it weighs, and who leaves."""

from __future__ import annotations

from edge.store.disk_index import DiskIndex, Held
from tests.kit.disk import primary, variant


def held(name: int, kind: int = 0, size: int = 100) -> Held:
    return Held(primary(name) + variant(kind), size, None)


def test_it_knows_the_variants_of_a_primary_oldest_first() -> None:
    index = DiskIndex()
    one, two = held(1, 1), held(1, 2)
    index.add(one)
    index.add(two)
    assert index.under(primary(1)) == (one, two)
    assert [each.variant for each in index.under(primary(1))] == [variant(1), variant(2)]
    assert index.get(two.key) is two
    index.remove(one)
    assert index.under(primary(1)) == (two,)
    index.remove(two)
    assert index.under(primary(1)) == ()
    assert (list(index), len(index), index.bytes) == ([], 0, 0)


def test_a_replaced_one_has_left() -> None:
    index = DiskIndex()
    old, new = held(1, size=70), held(1, size=30)
    assert index.add(old) is None
    assert index.add(new) is old
    assert (list(index), len(index), index.bytes) == ([new], 1, 30)
    assert index.victims(1, 0, most=5) == [new]


def test_victims_free_what_is_asked_for_and_no_more() -> None:
    index = DiskIndex()
    everyone = [held(name) for name in range(6)]
    for each in everyone:
        index.add(each)
    assert index.victims(0, 0, most=4) == []
    assert index.victims(101, 0, most=4) == everyone[:2]
    assert index.victims(0, 1, most=4) == everyone[2:3]
    assert index.victims(1000, 0, most=2) == everyone[3:5]


def test_victims_are_held_until_they_are_expelled() -> None:
    index = DiskIndex()
    one, two = held(1), held(2)
    index.add(one)
    index.add(two)
    assert index.victims(100, 0, most=4) == [one]
    assert index.bytes == 200
    index.readmit(one)
    assert index.victims(100, 0, most=4) == [two]
    index.expel(two)
    assert (list(index), index.bytes) == ([one], 100)


def test_who_was_used_is_passed_over_once() -> None:
    index = DiskIndex()
    one, two, three = held(1), held(2), held(3)
    for each in (one, two, three):
        index.add(each)
    one.visited = True
    assert index.victims(100, 0, most=4) == [two]
    index.expel(two)
    assert index.victims(200, 0, most=4) == [three, one]


def test_a_resized_one_is_charged_anew_and_keeps_its_place() -> None:
    index = DiskIndex()
    one, two = held(1), held(2)
    index.add(one)
    index.add(two)
    index.resize(one, 250)
    assert (one.size, index.bytes) == (250, 350)
    assert index.victims(250, 0, most=4) == [one]
    index.expel(one)
    assert index.bytes == 100
