"""The memory tier: found, replaced, counted to the byte, and never above its ceiling."""

import gc
import inspect
import subprocess
import sys
import tracemalloc
import weakref

import pytest

from edge.store.eviction import S3Fifo, Sieve
from edge.store.memory import HELD_OVERHEAD, Held, MemoryTier, charge

KILOBYTE = 1_000


class Value:
    """Stands for a stored response; unlike `bytes` it can be watched while it goes."""


def put(tier, key, size=KILOBYTE, identity="", value=None):
    return tier.put(key, identity, value, b"", size)


def full(count: int = 100, **settings) -> MemoryTier[None]:
    """A tier with room for exactly `count` responses of a kilobyte, all there: /00, /01, ..."""
    tier = MemoryTier[None](count * charge(b"/00", KILOBYTE), policy=Sieve(), **settings)
    for number in range(count):
        assert put(tier, b"/%02d" % number) == []
    return tier


def counted(tier) -> tuple[int, int]:
    return sum(held.size for held in tier), sum(1 for _ in tier)


def test_an_empty_tier_finds_nothing_and_occupies_its_fixed_bytes():
    tier = MemoryTier[None](1 << 20)
    assert (tier.get(b"/"), tier.used_bytes, tier.objects, list(tier)) == ((), 0, 0, [])
    assert tier.fixed_bytes == 512 * 12


def test_what_was_put_is_found_with_all_its_variants_in_order():
    tier = MemoryTier[str](1 << 20)
    tier.put(b"/a", "gzip", "packed", b"xyz", 103)
    tier.put(b"/a", "identity", "plain", b"xyzxyz", 106)
    assert [(held.identity, held.value, held.body) for held in tier.get(b"/a")] == [
        ("gzip", "packed", b"xyz"),
        ("identity", "plain", b"xyzxyz"),
    ]
    assert (tier.used_bytes, tier.objects) == (209 + 2 * len(b"/a") + 2 * HELD_OVERHEAD, 2)


def test_a_look_up_allocates_nothing_and_marks_nothing():
    tier = MemoryTier[None](1 << 20)
    put(tier, b"/a")
    assert tier.keys() == [b"/a"]
    assert tier.get(b"/a") is tier.get(b"/a")
    assert tier.get(b"/b") is tier.get(b"/c")
    assert not tier.get(b"/a")[0].visited


def test_a_hit_is_one_attribute_and_changes_nothing_else():
    tier = full()
    [held] = tier.get(b"/07")
    before = {name: getattr(held, name) for name in ("queue", "older", "newer", "size", "key", "identity")}
    held.visited = True
    assert before == {name: getattr(held, name) for name in before}
    assert put(tier, b"/new")[0].key == b"/00"


def test_what_is_put_is_as_clean_as_it_is_said_to_be_and_not_as_what_it_replaces():
    tier = MemoryTier[str](1 << 20)
    put(tier, b"/a")
    assert [held.clean for held in tier.get(b"/a")] == [0]
    for clean in (7, 5):
        tier.put(b"/a", "", "new", b"", 300, clean=clean)
        assert [held.clean for held in tier.get(b"/a")] == [clean]


def test_what_has_the_same_identity_is_replaced_and_not_handed_back():
    tier = MemoryTier[str](1 << 20)
    tier.put(b"/a", "gzip", "old", b"", 500)
    assert tier.put(b"/a", "gzip", "new", b"", 300) == []
    assert [held.value for held in tier.get(b"/a")] == ["new"]
    assert (tier.used_bytes, tier.objects, tier.evictions) == (charge(b"/a", 300), 1, 0)


@pytest.mark.parametrize("visited", [True, False])
def test_what_replaces_a_popular_response_is_as_popular(visited):
    tier = MemoryTier[None](128 * 1_024)
    for number in range(200):  # full, and evicting
        put(tier, b"/before/%d" % number)
    put(tier, b"/a")
    tier.get(b"/a")[0].visited = visited
    put(tier, b"/a")
    assert tier.get(b"/a")[0].visited is visited
    for number in range(300):
        put(tier, b"/scan/%d" % number)
    assert bool(tier.get(b"/a")) is visited
    put(tier, b"/a")
    for number in range(300):
        put(tier, b"/more/%d" % number)
    assert bool(tier.get(b"/a")) is visited, "freshened in the main queue, it still stands there"


def test_a_newcomer_takes_the_place_of_victims_which_are_handed_back_oldest_first():
    tier = full()
    tier.get(b"/01")[0].visited = True
    evicted = put(tier, b"/large", 2 * KILOBYTE)
    assert [(held.key, held.size) for held in evicted] == [
        (key, charge(b"/00", KILOBYTE)) for key in (b"/00", b"/02")
    ]
    assert all(held not in tier and tier.get(held.key) == () for held in evicted)
    assert (tier.evictions, tier.evicted_bytes, tier.objects) == (2, 2 * charge(b"/00", KILOBYTE), 99)
    assert counted(tier) == (tier.used_bytes, 99)


def test_room_is_used_to_the_last_byte():
    tier = full()
    assert tier.used_bytes == tier.capacity_bytes
    tier.remove(b"/50", "")
    assert put(tier, b"/51", KILOBYTE) == [], "replaced"
    assert put(tier, b"/50", KILOBYTE) == []
    assert tier.used_bytes == tier.capacity_bytes
    tier.remove(b"/50", "")
    assert len(put(tier, b"/50", KILOBYTE + 1)) == 1


def test_an_eviction_takes_one_variant_and_leaves_the_others():
    tier = full(10)
    tier.remove_key(b"/09")
    put(tier, b"/00", identity="second")
    assert [held.identity for held in put(tier, b"/new", KILOBYTE - 1)] == [""]
    assert [held.identity for held in tier.get(b"/00")] == ["second"]


@pytest.mark.parametrize(("size", "taken"), [(500, True), (501, False)])
def test_a_payload_above_the_maximum_is_refused_and_counted(size, taken):
    tier = MemoryTier[None](1 << 20, max_object_bytes=500)
    assert tier.admits(b"/a", size) is taken
    assert put(tier, b"/a", size) == []
    assert (len(tier.get(b"/a")), tier.refusals) == ((1, 0) if taken else (0, 1))


def test_the_default_maximum_is_the_small_queues_share():
    assert MemoryTier[None](1_000_000).max_object_bytes == 100_000


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)])
def test_what_is_larger_than_the_whole_tier_evicts_nobody(more, taken):
    tier = full(10, max_object_bytes=1 << 30)
    whole = tier.capacity_bytes - charge(b"/a", 0)
    assert len(put(tier, b"/a", whole + more)) == (10 if taken else 0)
    assert (tier.objects, tier.refusals) == ((1, 0) if taken else (10, 1))


def test_a_refused_response_still_supersedes_the_one_it_would_have_replaced():
    tier = MemoryTier[None](1 << 20, max_object_bytes=500)
    put(tier, b"/a", 100)
    assert put(tier, b"/a", 501) == []
    assert (tier.get(b"/a"), tier.used_bytes) == ((), 0)


def test_a_removed_variant_is_gone_and_the_others_stay():
    tier = MemoryTier[None](1 << 20)
    put(tier, b"/a", 100, "gzip")
    put(tier, b"/a", 200, "br")
    removed = tier.remove(b"/a", "gzip")
    assert removed is not None
    assert (removed.identity, removed in tier) == ("gzip", False)
    assert [held.identity for held in tier.get(b"/a")] == ["br"]
    assert tier.used_bytes == charge(b"/a", 200)
    assert tier.remove(b"/a", "gzip") is None
    assert tier.remove(b"/b", "gzip") is None


def test_a_removed_key_is_gone_with_all_its_variants():
    tier = MemoryTier[None](1 << 20)
    put(tier, b"/a", 100, "gzip")
    put(tier, b"/a", 200, "br")
    put(tier, b"/b", 300)
    assert [held.identity for held in tier.remove_key(b"/a")] == ["gzip", "br"]
    assert (tier.get(b"/a"), tier.objects, tier.used_bytes) == ((), 1, charge(b"/b", 300))
    assert tier.remove_key(b"/a") == ()


def test_an_iteration_survives_changes_and_sees_what_was_there_when_it_began():
    tier = full()
    seen = []
    for held in tier:
        tier.remove_key(held.key)
        put(tier, held.key.replace(b"/", b"+"))
        seen.append(held.key)
    assert seen == [b"/%02d" % number for number in range(100)]
    assert [held.key for held in tier] == [key.replace(b"/", b"+") for key in seen]


@pytest.mark.parametrize("delta", [70, -70, 0])
def test_a_resized_response_is_charged_what_it_is_told(delta):
    tier = MemoryTier[None](1 << 20)
    put(tier, b"/a", 500)
    [held] = tier.get(b"/a")
    assert tier.resize(held, delta) == []
    assert (held.size, tier.used_bytes) == (charge(b"/a", 500 + delta),) * 2
    tier.remove_key(b"/a")
    assert tier.used_bytes == 0


def test_a_response_that_grows_makes_room_and_is_never_its_own_victim():
    tier = full(10)
    [held] = tier.get(b"/00")
    evicted = tier.resize(held, 1)
    assert [victim.key for victim in evicted or ()] == [b"/01"]
    evicted = tier.resize(held, tier.capacity_bytes - held.size)
    assert [victim.key for victim in evicted or ()] == [b"/%02d" % number for number in range(2, 10)]
    assert (list(tier), tier.used_bytes) == ([held], tier.capacity_bytes)


def test_a_response_is_not_resized_beyond_the_whole_tier():
    tier = full(10)
    [held] = tier.get(b"/00")
    before = held.size
    assert tier.resize(held, tier.capacity_bytes - held.size + 1) is None
    assert (held.size, tier.objects, tier.evictions) == (before, 10, 0)


def test_a_response_that_has_left_is_not_resized():
    tier = full(10)
    [held] = tier.get(b"/00")
    put(tier, b"/00")
    assert tier.resize(held, 1) is None
    assert tier.used_bytes == tier.capacity_bytes


def test_a_response_cannot_shrink_below_nothing():
    tier = MemoryTier[None](1 << 20)
    put(tier, b"/a", 500)
    [held] = tier.get(b"/a")
    with pytest.raises(AssertionError):
        tier.resize(held, -501)


def test_responses_that_come_back_too_soon_are_counted():
    tier = MemoryTier[None](128 * 1_024)
    evicted = [held.key for number in range(200) for held in put(tier, b"/%d" % number)]
    put(tier, evicted[-1])
    assert tier.ghost_hits == 1


def test_a_capacity_is_positive():
    with pytest.raises(AssertionError):
        MemoryTier[None](0)


@pytest.mark.parametrize("policy", [lambda: S3Fifo(20_000), Sieve])
def test_a_response_that_leaves_is_freed_at_once_without_the_cycle_collector(policy):
    tier = MemoryTier[Value](20_000, max_object_bytes=10_000, policy=policy())
    watched: list[weakref.ref[Value]] = []
    gc.disable()
    try:
        for number in range(40):
            value = Value()
            watched.append(weakref.ref(value))
            put(tier, b"/%d" % number, value=value)
            del value
        tier.remove_key(b"/39")
        assert sum(each() is not None for each in watched) == tier.objects < 20
    finally:
        gc.enable()


def test_a_held_response_says_which_it_is():
    assert repr(Held(b"/a", "gzip", None, b"", 9)) == "Held(b'/a', 'gzip', size=9, visited=False)"


def load(tier, count):
    """Runs in this process and, as source, in another: names nothing from outside."""
    for number in range(count):
        key = b"\0\5https\0\x0bexample.com/objects/%08d" % number
        tier.put(key, "", None, b"%08d" % number * 128, 1_024)
    assert tier.objects == count


def test_the_overhead_charged_is_the_overhead_there_is():
    tracemalloc.start()
    try:
        tier = MemoryTier[None](16 << 20)
        load(tier, 5_000)
        real, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.90 < real / (tier.used_bytes + tier.fixed_bytes) < 1.02


RESIDENT = f"""
import os
from edge.store.memory import MemoryTier
{inspect.getsource(load)}
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = resident()
tier = MemoryTier(256 << 20)
load(tier, 100_000)
print((resident() - before) / (tier.used_bytes + tier.fixed_bytes))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_grows_by_what_is_charged_for_100_000_responses_of_a_kilobyte():
    grown = subprocess.run(
        [sys.executable, "-c", RESIDENT], capture_output=True, text=True, check=True
    ).stdout
    assert 0.90 < float(grown) < 1.10
