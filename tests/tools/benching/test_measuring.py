"""Side by side: pairs are compared, and hits that were misses do not count as hits."""

from __future__ import annotations

import pytest

from tools.benching.load import Measured
from tools.benching.measuring import Row, Turn, check, value_of
from tools.benching.processes import BenchFault
from tools.benching.workloads import WORKLOADS, Unit

MEASURED = Measured(requests=1000, bytes=4_000_000, seconds=2.0)


def row(**values: list[float]) -> Row:
    return Row(
        WORKLOADS["hits"](),
        {name: [Turn(value, MEASURED, None) for value in them] for name, them in values.items()},
    )


def test_the_ratio_is_that_of_turns_side_by_side():
    """A machine that is half as quick for a while is so for both."""
    measured = row(ours=[100.0, 50.0, 110.0], theirs=[200.0, 100.0, 200.0])
    assert measured.ratio("ours", "theirs") == pytest.approx(0.5)
    assert measured.ratio("ours", "nobody") is None


def test_cpu_time_is_compared_where_it_is_known():
    costs = {"ours": (4.0, 2.0, None), "theirs": (1.0, 1.0, 1.0)}
    measured = Row(
        WORKLOADS["hits"](),
        {name: [Turn(1.0, MEASURED, cost) for cost in them] for name, them in costs.items()},
    )
    assert measured.ratio_by_cpu("ours", "theirs") == pytest.approx(0.375)
    assert measured.ratio_by_cpu("ours", "nobody") is None


@pytest.mark.parametrize(
    "unit,value", [(Unit.PER_SECOND, 500.0), (Unit.BYTES_PER_SECOND, 2.0), (Unit.REQUESTS_AT_ORIGIN, 7.0)]
)
def test_a_run_has_one_number(unit: Unit, value: float):
    assert value_of(unit, MEASURED, 7) == value


@pytest.mark.parametrize(
    "name,asked,is_wrong",
    [
        ("hits", 0, False),
        ("hits", 1, True),
        ("misses", 1000, False),
        ("misses", 1010, False),
        ("misses", 999, True),
        ("crowd", 1, False),
        ("crowd", 3, False),  # that is what the row tells
    ],
)
def test_what_the_origin_saw_must_fit_the_row(name: str, asked: int, is_wrong: bool):
    if is_wrong:
        with pytest.raises(BenchFault):
            check(WORKLOADS[name](), MEASURED, asked, "")
    else:
        check(WORKLOADS[name](), MEASURED, asked, "")


def test_a_run_without_an_answer_is_none():
    with pytest.raises(BenchFault):
        check(WORKLOADS["hits"](), Measured(0, 0, 1.0), 0, "")
