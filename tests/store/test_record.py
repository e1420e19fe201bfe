"""The record in a row: what was encoded comes back, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.record import (
    BLOCK_BYTES,
    KEY_BYTES,
    OVERHEAD_BYTES,
    PAGE_BYTES,
    FiledBody,
    InlineBody,
    Record,
    accounted_bytes,
    block_count,
    decode,
    digest_of,
    encode,
    file_bytes,
    row_bytes,
)

KEY = bytes(range(KEY_BYTES))
GENERATION = b"\x01" * 8
RECORDS = st.builds(
    Record,
    st.binary(min_size=8, max_size=8),
    st.binary(max_size=300),
    st.builds(InlineBody, st.binary(max_size=300))
    | st.builds(FiledBody, st.integers(0, 2**40), st.binary(min_size=16, max_size=16)),
)


@given(RECORDS, st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES))
def test_a_record_comes_back_as_it_was(record: Record, key: bytes) -> None:
    assert decode(key, encode(key, record)) == record


@given(RECORDS, RECORDS)
def test_the_digest_tells_records_of_one_row_apart(one: Record, other: Record) -> None:
    digests = [digest_of(encode(KEY, record)) for record in (one, other)]
    assert (digests[0] == digests[1]) is (one == other)


@given(RECORDS, st.data())
def test_no_single_bit_may_change(record: Record, data: st.DataObject) -> None:
    value = bytearray(encode(KEY, record))
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DiskFault) as raised:
        decode(KEY, bytes(value))
    assert raised.value.why is DiskFailure.DAMAGED


@given(RECORDS, st.data())
def test_no_part_of_a_record_is_a_record(record: Record, data: st.DataObject) -> None:
    value = encode(KEY, record)
    with pytest.raises(DiskFault):
        decode(KEY, value[: data.draw(st.integers(0, len(value) - 1))])
    with pytest.raises(DiskFault):
        decode(KEY, value + b"\0")


def test_a_record_of_another_row_is_refused() -> None:
    value = encode(KEY, Record(GENERATION, b"meta", InlineBody(b"body")))
    with pytest.raises(DiskFault):
        decode(KEY[::-1], value)


def test_the_border_between_meta_and_body_is_part_of_what_is_verified() -> None:
    one = encode(KEY, Record(GENERATION, b"ab", InlineBody(b"c")))
    other = encode(KEY, Record(GENERATION, b"a", InlineBody(b"bc")))
    assert one[OVERHEAD_BYTES:] == other[OVERHEAD_BYTES:]
    assert decode(KEY, one) != decode(KEY, other)


@pytest.mark.parametrize(
    ("length", "blocks"),
    [(0, 0), (1, 1), (BLOCK_BYTES - 1, 1), (BLOCK_BYTES, 1), (BLOCK_BYTES + 1, 2), (1 << 30, 4096)],
)
def test_a_body_has_as_many_blocks_as_it_needs(length: int, blocks: int) -> None:
    assert block_count(length) == blocks
    assert file_bytes(length) == 128 + length + 16 * blocks


def test_a_row_is_charged_its_record_and_its_file() -> None:
    inline = encode(KEY, Record(GENERATION, b"m" * 10, InlineBody(b"b" * 20)))
    filed = encode(KEY, Record(GENERATION, b"m" * 10, FiledBody(BLOCK_BYTES, bytes(16))))
    assert accounted_bytes(inline) == row_bytes(OVERHEAD_BYTES + 30)
    assert accounted_bytes(filed) == row_bytes(OVERHEAD_BYTES + 10) + BLOCK_BYTES + PAGE_BYTES
