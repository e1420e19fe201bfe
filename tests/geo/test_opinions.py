"""What vantage points say of POPs survives the bus; what is no report of ours is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.drains import Drain
from edge.geo.health import Opinion
from edge.geo.network_view import Health
from edge.geo.opinions import (
    CONTESTED_SECONDS,
    MAX_BYTES,
    MAX_POPS,
    MAX_VANTAGES,
    BadReport,
    Heard,
    Opinions,
    Report,
    decode,
    encode,
)

ONE, OTHER, THIRD = "0" * 16, "1" * 16, "2" * 16
FULL = Report("dns-1", ONE, {"fra": Health.UP, "iad": Health.DOWN}, {"fra": Drain(7.5, True, "dns-2")})


def test_a_report_comes_back_as_it_was_and_what_a_later_version_adds_is_left_out():
    assert decode(encode(FULL)) == FULL
    assert decode(encode(Report("a", ONE))) == Report("a", ONE)
    said = json.loads(encode(FULL)) | {"more": 1}
    assert decode(json.dumps(said).encode()) == FULL


def changed(**values: object) -> bytes:
    return json.dumps(json.loads(encode(FULL)) | values).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
        changed(v=2),
        changed(vantage=""),
        changed(vantage="a b"),
        changed(vantage="a" * 65),
        changed(instance="x"),
        changed(health=[]),
        changed(health={"fra": "sick"}),
        changed(health={"a/b": "up"}),
        changed(health={str(number): "up" for number in range(MAX_POPS + 1)}),
        changed(drains={"fra": True}),
    ],
)
def test_what_is_no_report_of_ours_is_refused(data: bytes):
    with pytest.raises(BadReport):
        decode(data)


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.integers(0, 200).map(lambda end: encode(FULL)[:end]))
def test_nothing_but_bad_report_comes_out_of_anything(data: bytes):
    try:
        decode(data)
    except BadReport:
        return


def test_the_last_word_of_each_is_kept_by_pop():
    heard = Opinions()
    assert heard.hear(FULL, 1.0) is Heard.TAKEN
    heard.hear(Report("dns-2", OTHER, {"iad": Health.UP}), 2.0)
    heard.hear(Report("dns-1", ONE, {"iad": Health.UP}), 3.0)
    assert heard.by_pop() == {"iad": (Opinion("dns-1", Health.UP, 3.0), Opinion("dns-2", Health.UP, 2.0))}
    heard.forget(5.5, 3.0)
    assert heard.by_pop() == {"iad": (Opinion("dns-1", Health.UP, 3.0),)}


def test_two_with_one_name_are_told_from_a_restart():
    heard = Opinions()
    said = [heard.hear(Report("a", instance), at) for at, instance in enumerate((ONE, OTHER, OTHER, THIRD))]
    assert said == [Heard.TAKEN] * 4
    assert heard.hear(Report("a", OTHER), 4.0) is Heard.CONTESTED
    assert heard.hear(Report("a", OTHER), 4.0 + CONTESTED_SECONDS) is Heard.CONTESTED
    assert heard.hear(Report("a", OTHER), 4.1 + CONTESTED_SECONDS) is Heard.TAKEN


def test_there_is_an_end_to_how_many_are_known():
    heard = Opinions()
    for number in range(MAX_VANTAGES):
        heard.hear(Report(f"dns-{number}", ONE, {"fra": Health.UP}), 1.0)
    assert heard.hear(Report("one-more", ONE, {"fra": Health.DOWN}), 1.0) is Heard.FULL
    assert len(heard.by_pop()["fra"]) == MAX_VANTAGES
