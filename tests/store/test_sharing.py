"""Lines that are shared: nobody can tell a compact head from its original, what is kept for all is bounded, and what a
response is charged is what it occupies.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.measures import Measures
from edge.semantics.message import Fields, Line
from edge.semantics.stored import StoredResponse
from edge.store.codec import decode, encode, resident_bytes
from edge.store.memory import MemoryTier
from edge.store.sharing import (
    BYTES_A_LINE,
    LINE_LIMIT,
    MAX_LINES,
    MAX_NAMES,
    NAME_LIMIT,
    SHARED_OF_NAME,
    Sharing,
    max_lines_for,
)
from edge.store.store import Store
from edge.values import replace
from tests.kit.stored_responses import holding

SERVER: Line = (b"Server", b"an origin")
names = st.sampled_from([b"A", b"a", b"B", b"Vary", b"Set-Cookie"])
lines = st.lists(st.tuples(names, st.binary(max_size=2)), max_size=8)


def copied(stored: StoredResponse) -> StoredResponse:
    """As another one that came off the wire: nothing of it is the same object."""
    return decode(encode(stored))


def one(*said: Line, nominated: bool = False) -> StoredResponse:
    stored = copied(holding(*said))
    return replace(stored, nominated=((b"accept-encoding", b"gzip"),)) if nominated else stored


def seen(fields: Fields) -> list[object]:
    looks = [b"a", b"b", b"vary", b"set-cookie", b"x"]
    return [
        fields.lines,
        list(fields.names()),
        [(fields.all(n), fields.get(n), fields.combined(n)) for n in looks],
    ]


@given(heads=st.lists(lines, min_size=1, max_size=5), nominated=st.booleans())
def test_a_compact_head_says_what_its_original_says(heads: list[list[Line]], nominated: bool):
    sharing = Sharing(8)
    for head in heads * 3:
        stored = one(*head, nominated=nominated)
        record, before, former = encode(stored), seen(stored.head.fields), stored.head
        sharing.compact(stored)
        assert encode(stored) == record
        assert seen(stored.head.fields) == before
        assert seen(former.fields) == before, "an answer under way may have it"
        assert stored.head.fields == former.fields
        assert hash(stored.head.fields) == hash(former.fields)
        assert sharing.compact(stored) >= 0, "once more changes nothing"
        assert encode(stored) == record


def test_a_line_is_one_object_from_the_second_time_on():
    sharing, held = Sharing(), [one(SERVER) for _ in range(4)]
    saved = [sharing.compact(each) for each in held]
    first, *rest = (each.head.fields.lines[0] for each in held)
    assert all(line is rest[0] for line in rest)
    assert first is not rest[0]
    assert saved[0] < saved[1] == saved[2] == saved[3]
    assert len(sharing) == 1


def test_names_and_reasons_are_one_object_though_values_differ():
    sharing, held = Sharing(), [one((b"ETag", b'"%d"' % number)) for number in range(3)]
    for each in held:
        sharing.compact(each)
    assert len({id(each.head.fields.lines[0][0]) for each in held}) == 1
    assert len({id(each.head.reason) for each in held}) == 1
    assert len(sharing) == 0, "no value came twice"


def test_of_one_name_there_are_so_many_and_no_more():
    sharing = Sharing()
    held = [one((b"Date", b"%d" % number)) for number in range(SHARED_OF_NAME + 50) for _ in range(2)]
    for each in held:
        sharing.compact(each)
    assert len(sharing) == SHARED_OF_NAME
    held += [one(SERVER), one(SERVER)]
    sharing.compact(held[-2])
    sharing.compact(held[-1])
    assert len(sharing) == SHARED_OF_NAME + 1, "others are shared all the same"


def filled(count: int, max_lines: int) -> tuple[Sharing, list[StoredResponse]]:
    """Pairs with a line each, every one under a name of its own."""
    sharing = Sharing(max_lines)
    held = [one((b"X-%d" % number, b"v")) for number in range(count) for _ in range(2)]
    for each in held:
        sharing.compact(each)
    return sharing, held


def test_no_more_lines_are_kept_than_may_be():
    sharing, _held = filled(500, 64)
    assert len(sharing) == 64


def test_lines_that_nobody_has_any_more_leave_for_others():
    sharing, held = filled(64, 64)
    keeper = held[0]
    kept = [held[1]]  # the second one has the shared line
    held.clear()
    others = [one((b"Y-%d" % number, b"v")) for number in range(64) for _ in range(2)]
    for each in others:
        sharing.compact(each)
    assert 0 < len(sharing) <= 64
    late = [one((b"Y-63", b"v")) for _ in range(2)]
    for each in late:
        sharing.compact(each)
    assert late[0].head.fields.lines[0] is late[1].head.fields.lines[0], "there was room for it"
    again = one(*keeper.head.fields.lines)
    sharing.compact(again)
    assert again.head.fields.lines[0] is kept[0].head.fields.lines[0], "it was in use, and stayed"


def test_what_is_long_is_not_kept_and_names_are_bounded():
    sharing = Sharing()
    for _ in range(3):
        sharing.compact(one((b"X", b"v" * LINE_LIMIT)))
    assert len(sharing) == 0
    for number in range(2 * MAX_NAMES):
        sharing.compact(one((b"N-%d" % number, b"v")))
        sharing.compact(one((b"N" * NAME_LIMIT + b"%d" % number, b"v")))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2 * MAX_NAMES):
            sharing.compact(one((b"M-%d" % number, b"v")))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < MAX_NAMES * 100, "hashes of what was seen once, a few thousand at most, and nothing else"


def test_a_small_tier_keeps_little_for_all():
    assert max_lines_for(1) == 16
    assert max_lines_for(100 * BYTES_A_LINE) == 100
    assert max_lines_for(1 << 40) == MAX_LINES


@pytest.mark.parametrize("own", [1, 3])
@pytest.mark.parametrize("field_lines", [5, 8, 12, 25])
@pytest.mark.parametrize("nominated", [False, True])
def test_what_a_compact_response_is_charged_is_what_it_occupies(field_lines: int, own: int, nominated: bool):
    """own: how many of its lines no other response has. More of them than the interpreter keeps free tuples for."""
    count, sharing = 3_000, Sharing()
    common = [(b"X-Common-%d" % at, b"the same for all, %d" % at) for at in range(field_lines - own)]
    records = [
        encode(
            one(
                *common,
                *((b"X-Own-%d" % at, b"of %d alone, %d" % (number, at)) for at in range(own)),
                nominated=nominated,
            )
        )
        for number in range(count)
    ]
    first = [decode(record) for record in records[:3]]
    for each in first:
        sharing.compact(each)
    held: list[StoredResponse] = []
    charged = 0
    tracemalloc.start()
    try:
        for record in records:
            stored = decode(record)
            charged += resident_bytes(stored) - sharing.compact(stored)
            held.append(stored)
        occupied = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.85 * occupied <= charged <= 1.15 * occupied, (occupied / count, charged / count)


async def test_a_store_holds_more_in_the_same_memory():
    """The same responses, of a body's worth of common lines each, with and without what can be shared."""

    async def fitting(common: bool) -> int:
        memory: MemoryTier[StoredResponse] = MemoryTier(1 << 20)
        store = Store(memory, None, measures=Measures(), write_behind_bytes=1 << 20)
        await store.open()
        for number in range(1_000):
            said = [
                (b"X-Name-%d" % at, b"%032d" % (at if common else at + 1_000 * number)) for at in range(8)
            ]
            store.put(replace(one(*said), key=b"%032d" % number), b"a" * 100)
        await store.aclose()
        assert memory.used_bytes + memory.fixed_bytes <= memory.capacity_bytes
        return memory.objects

    assert await fitting(common=True) > 1.25 * await fitting(common=False)
