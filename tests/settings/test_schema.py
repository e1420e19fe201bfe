"""Settings become one model; a default gives way to a cap that is written, what is written does not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge.settings.composed import Or
from edge.settings.kinds import Count
from edge.settings.schema import Disorder, Order, Schema, Setting, put


@dataclass(frozen=True, slots=True)
class Inner:
    low: int = 3
    high: int = 5


@dataclass(frozen=True, slots=True)
class Model:
    inner: Inner = Inner()
    cap: int | None = 9
    left: int = 1
    right: int = 2


COUNT = Count(0, 100)
SCHEMA = Schema(
    Model(),
    (
        Setting("t.low", COUNT, "inner.low", "why"),
        Setting("t.high", COUNT, "inner.high", "why"),
        Setting("cap", Or("off", None, COUNT), "cap", "why"),
        Setting("both", COUNT, "left right", "why"),
        Setting("aside", COUNT, "", "why"),
    ),
    tables={"": "top", "t": "inner"},
    orders=(Order("t.high", "cap"), Order("t.low", "t.high")),
)


@pytest.mark.parametrize(
    "written, settled, wrong",
    [
        ({}, {}, []),
        ({"t.high": 9}, {"t.high": 9}, []),
        ({"t.high": 2}, {"t.high": 2, "t.low": 2}, []),
        ({"cap": 1}, {"cap": 1, "t.high": 1, "t.low": 1}, []),
        ({"cap": None, "t.high": 50}, {"cap": None, "t.high": 50}, []),
        ({"t.low": 6}, {"t.low": 6}, [("t.low", "t.high")]),
        (
            {"t.low": 7, "t.high": 6, "cap": 5},
            {"t.low": 7, "t.high": 6, "cap": 5},
            [("t.high", "cap"), ("t.low", "t.high")],
        ),
    ],
)
def test_defaults_give_way_and_what_is_written_does_not(
    written: dict[str, object], settled: dict[str, object], wrong: list[tuple[str, str]]
):
    disorders = tuple(Disorder(Order(low, high), low) for low, high in wrong)
    assert SCHEMA.settle(written) == (settled, disorders)


def test_values_go_where_they_were_declared_to():
    assert SCHEMA.build({"t.low": 1, "cap": None, "both": (7, 8), "aside": 4}) == Model(
        Inner(low=1), None, 7, 8
    )
    assert SCHEMA.build({}) == Model()


def test_defaults_are_the_models_own():
    defaults = {path: SCHEMA.default(path) for path in SCHEMA.settings}
    assert defaults == {"t.low": 3, "t.high": 5, "cap": 9, "both": (1, 2), "aside": None}


def test_a_table_knows_what_may_stand_in_it():
    assert set(SCHEMA.children("")) == {"t", "cap", "both", "aside"}
    assert list(SCHEMA.children("t")) == ["low", "high"]


def test_a_copy_leaves_the_rest_as_it_is():
    assert put(Model(), {"inner.high": 8, "left": 0}) == Model(Inner(3, 8), 9, 0, 2)


def test_slips_in_a_schema_are_found_at_once():
    twice = Setting("a", COUNT, "left", "why")
    with pytest.raises(AssertionError):
        Schema(Model(), (twice, twice), tables={"": ""})
    with pytest.raises(AssertionError):
        Schema(Model(), (twice,), tables={"": ""}, orders=(Order("a", "b"),))
