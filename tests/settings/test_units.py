"""Durations, sizes and shares read as written, and read back as rendered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.units import parse_duration, parse_percent, parse_size, render_duration, render_size

DURATIONS = [
    ("0s", 0.0),
    ("30s", 30.0),
    ("1.5s", 1.5),
    ("250ms", 0.25),
    ("5m", 300.0),
    ("1h30m", 5400.0),
    ("7d", 604_800.0),
    ("1w", 604_800.0),
    ("1d1s", 86_401.0),
    ("", None),
    ("5", None),
    ("s", None),
    ("-5s", None),
    ("5 s", None),
    ("5S", None),
    ("1m1h", None),
    ("1s1s", None),
    ("1h30", None),
    ("1e3s", None),
    ("٣s", None),
    ("1" * 41 + "s", None),
]

SIZES = [
    ("0B", 0),
    ("512B", 512),
    ("64KiB", 65_536),
    ("64kib", 65_536),
    ("1GB", 1_000_000_000),
    ("1.5 GiB", 1_610_612_736),
    ("1TiB", 1024**4),
    ("0.5B", None),
    ("1", None),
    ("1K", None),
    ("1M", None),
    ("KiB", None),
    ("-1B", None),
    ("1KiBB", None),
    ("1  B", None),
]


@pytest.mark.parametrize("text, seconds", DURATIONS)
def test_a_duration_is_read(text: str, seconds: float | None):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text, count", SIZES)
def test_a_size_is_read(text: str, count: int | None):
    assert parse_size(text) == count


@pytest.mark.parametrize(
    "text, share", [("10%", 0.1), ("0.5 %", 0.005), ("100%", 1.0), ("10", None), ("%", None)]
)
def test_a_percentage_is_read(text: str, share: float | None):
    assert parse_percent(text) == share


@given(st.integers(0, 10**12))
def test_a_rendered_duration_reads_back(milliseconds: int):
    assert parse_duration(render_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(0, 10**14))
def test_a_rendered_size_reads_back(count: int):
    assert parse_size(render_size(count)) == count


@given(st.text(max_size=50))
def test_no_text_breaks_the_readers(text: str):
    for read in (parse_duration, parse_size, parse_percent):
        assert (read(text) or 0) >= 0
