"""A stored response's head as bytes: what goes in comes out, and nothing else ever does."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.message import Authority, Fields, ResponseHead, UnixSeconds
from edge.semantics.stored import Freshness, LifetimeSource, Selectors, StoredResponse, Validators
from edge.store.codec import VERSION, decode, encode, resident_bytes
from tests.kit.stored_responses import FRESH, HERE, NOW, holding

seconds = st.floats(allow_nan=False)
small = st.binary(max_size=12)
lines = st.lists(st.tuples(small, small), max_size=4)

freshness = st.builds(
    Freshness,
    response_time=seconds.map(UnixSeconds),
    initial_age=seconds,
    lifetime=seconds,
    source=st.sampled_from(LifetimeSource),
    stale_while_revalidate=seconds,
    stale_if_error=seconds,
    max_life=seconds,
    must_revalidate=st.booleans(),
    no_cache=st.booleans(),
    immutable=st.booleans(),
)
names = st.lists(small, max_size=3).map(tuple)
selectors = st.builds(
    Selectors,
    st.text(max_size=4),
    st.builds(Authority, st.sampled_from([b"http", b"https"]), small, st.integers(1, 65535)),
    small,
    names,
    names,
)
responses = st.builds(
    StoredResponse,
    key=small,
    nominated=st.lists(st.tuples(small, st.none() | small), max_size=3).map(tuple),
    head=st.builds(ResponseHead, st.integers(100, 999), small, lines.map(Fields), st.integers(0, 1)),
    freshness=freshness,
    validators=st.builds(Validators, st.none() | small, st.none() | small, st.none() | seconds, seconds),
    body_length=st.integers(0, 2**64 - 1),
    body_id=small,
    request_authorized=st.booleans(),
    fence=st.integers(0, 2**64 - 1),
    selectors=selectors,
)


def values(stored: StoredResponse) -> tuple[object, ...]:
    """Everything in it; a StoredResponse itself is compared by identity."""
    return tuple(getattr(stored, field.name) for field in fields(stored))


SAMPLE = replace(
    holding(
        (b"Content-Type", b"text/html"),
        (b"ETag", b'"abc"'),
        (b"Last-Modified", b"Tue, 24 Nov 2026 06:00:00 GMT"),
        (b"Vary", b"Accept-Encoding, X-Other"),
    ),
    nominated=((b"accept-encoding", b"gzip"), (b"x-other", None)),
    selectors=Selectors("shop", HERE, b"/a/b", (b"one", b"", b"group"), (b"group",)),
    fence=77,
)


@given(stored=responses)
def test_what_is_encoded_is_decoded_to_the_same(stored: StoredResponse):
    assert values(decode(encode(stored))) == values(stored)


@pytest.mark.parametrize(
    "flagged",
    [replace(FRESH, must_revalidate=True), replace(FRESH, no_cache=True), replace(FRESH, immutable=True)],
)
def test_every_flag_of_freshness_is_kept_by_itself(flagged: Freshness):
    again = decode(encode(replace(SAMPLE, freshness=flagged)))
    assert again.freshness == flagged
    assert not again.request_authorized


@pytest.mark.parametrize("source", LifetimeSource)
def test_every_source_of_a_lifetime_is_kept_with_all_flags_set(source: LifetimeSource):
    everything = replace(FRESH, source=source, must_revalidate=True, no_cache=True, immutable=True)
    stored = replace(SAMPLE, freshness=everything, request_authorized=True)
    again = decode(encode(stored))
    assert again.freshness == everything
    assert again.request_authorized


def test_no_prefix_of_a_record_is_a_record():
    record = encode(SAMPLE)
    for length in range(len(record)):
        with pytest.raises(ValueError):
            decode(record[:length])


def test_a_record_with_anything_behind_its_end_is_refused():
    with pytest.raises(ValueError):
        decode(encode(SAMPLE) + b"\0")


def test_every_change_of_one_byte_is_refused_or_is_a_record_of_its_own():
    record = bytearray(encode(SAMPLE))
    for at, byte in enumerate(record):
        for change in (byte ^ 1, byte ^ 0x80, 0, 0xFF):
            record[at] = change
            try:
                again = decode(bytes(record))
            except ValueError:
                continue
            finally:
                record[at] = byte
            changed = bytes(record[:at]) + bytes((change,)) + bytes(record[at + 1 :])
            assert encode(again) == changed


@given(data=st.binary(max_size=200), version=st.booleans())
def test_bytes_of_any_origin_are_refused_with_value_error_and_nothing_else(data: bytes, version: bool):
    try:
        again = decode(bytes((VERSION,)) * version + data)
    except ValueError:
        return
    assert decode(encode(again)) is not None


@given(stored=responses, data=st.data())
@settings(max_examples=50)
def test_a_changed_record_never_raises_anything_but_value_error(stored: StoredResponse, data: st.DataObject):
    record = bytearray(encode(stored))
    record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = decode(bytes(record))
    except ValueError:
        return
    assert encode(again) == bytes(record)


def test_a_record_of_another_version_is_dropped_and_not_guessed_at():
    record = encode(SAMPLE)
    for version in {0, 1, VERSION + 1, 255} - {VERSION}:
        with pytest.raises(ValueError, match="version"):
            decode(bytes((version,)) + record[1:])


NAN = float("nan")


@pytest.mark.parametrize(
    "without_end",
    [
        replace(FRESH, response_time=UnixSeconds(NAN)),
        replace(FRESH, initial_age=NAN),
        replace(FRESH, lifetime=NAN),
        replace(FRESH, stale_while_revalidate=NAN),
        replace(FRESH, stale_if_error=NAN),
        replace(FRESH, max_life=NAN),
    ],
)
def test_a_time_that_is_no_number_would_be_fresh_for_ever_and_is_refused(without_end: Freshness):
    with pytest.raises(ValueError, match="seconds"):
        decode(encode(replace(SAMPLE, freshness=without_end)))


@pytest.mark.parametrize(
    "head",
    [ResponseHead(99, b"", Fields()), ResponseHead(1000, b"", Fields()), ResponseHead(200, b"", Fields(), 2)],
)
def test_a_status_line_that_no_response_has_is_refused(head: ResponseHead):
    with pytest.raises(ValueError, match="status line"):
        decode(encode(replace(SAMPLE, head=head)))


NAMES = (b"Date", b"Server", b"Content-Type", b"ETag", b"Last-Modified", b"Cache-Control", b"Vary")


def many_records(count: int, field_lines: int, nominated: int, tags: int) -> list[bytes]:
    """Records of which no two share a value."""
    records = []
    for number in range(count):
        head = ResponseHead(
            200,
            b"OK",
            Fields(
                (
                    NAMES[at] if at < len(NAMES) else b"X-Field-Number-%d" % at,
                    b"value %d of response %d" % (at, number),
                )
                for at in range(field_lines)
            ),
        )
        stored = StoredResponse(
            key=b"%032d" % number,
            nominated=tuple((b"name-%d" % at, b"value-%d-%d" % (at, number)) for at in range(nominated)),
            head=head,
            freshness=replace(FRESH, response_time=UnixSeconds(NOW + number), lifetime=60.5 + number),
            validators=Validators(b'"%d"' % number, b"Tue, 24 Nov 2026 06:40:00 GMT", NOW + 0.25, NOW + 0.5),
            body_length=1000 + number,
            body_id=b"%016d" % number,
            selectors=Selectors(
                "shop",
                HERE,
                b"/path/of/response/%d" % number,
                tuple(b"tag-%d-%d" % (at, number) for at in range(tags)),
                tuple(b"group-%d-%d" % (at, number) for at in range(tags // 5)),
            ),
        )
        records.append(encode(stored))
    return records


@pytest.mark.parametrize("nominated, tags", [(0, 0), (2, 5), (8, 40)])
@pytest.mark.parametrize("field_lines", [5, 12, 25])
def test_what_a_response_is_charged_is_what_it_occupies_within_15_percent(
    field_lines: int, nominated: int, tags: int
):
    count = 200
    records = many_records(count, field_lines, nominated, tags)
    held: list[StoredResponse] = []
    tracemalloc.start()
    try:
        held.extend(map(decode, records))
        occupied = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    charged = sum(map(resident_bytes, held)) / count
    assert 0.85 * occupied <= charged <= 1.15 * occupied, (occupied, charged)
