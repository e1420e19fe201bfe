"""Side by side: pairs are compared, and hits that were misses do not count as hits."""

from __future__ import annotations

import pytest

from tools.benching.load import Measured
from tools.benching.measuring import Row, Turn, check, contenders_of, value_of
from tools.benching.processes import BenchFault
from tools.benching.servers import Nginx, Perigee
from tools.benching.varnish import Varnish
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


def test_the_better_is_the_quicker_and_at_a_constant_rate_the_lesser():
    values = {"a": [1.0, 1.0, 9.0], "b": [2.0, 2.0, 2.0]}
    assert row(ours=[1.0], **values).better(["a", "b", "nobody"]) == "b"
    assert row(ours=[1.0]).better(["a"]) is None
    late = row(**values)
    late.workload = WORKLOADS["rate"]()
    assert late.better(["a", "b"]) == "a"


def test_the_cheaper_is_he_who_spends_less_on_a_request():
    costs = {"a": (4.0, 2.0, None), "b": (1.0, 9.0, 9.0), "c": (None, None, None)}
    measured = Row(
        WORKLOADS["hits"](),
        {name: [Turn(1.0, MEASURED, cost) for cost in them] for name, them in costs.items()},
    )
    assert measured.cheaper(["a", "b", "c"]) == "a"
    assert measured.cheaper(["c"]) is None


def test_a_row_is_measured_with_ours_and_with_whom_it_is_about():
    ours, nginx, varnish = Perigee(), Nginx(), Varnish()
    assert contenders_of(WORKLOADS["disk"](), [ours, nginx, varnish]) == [ours, nginx]
    assert contenders_of(WORKLOADS["304"](), [ours, nginx, varnish]) == [ours, nginx, varnish]
    assert contenders_of(WORKLOADS["hits"](), [ours]) == [ours]


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


def test_a_constant_rate_is_told_by_its_99th():
    told = Measured(requests=10, bytes=0, seconds=1.0, p50=0.1, p99=0.25, p999=0.5)
    assert value_of(Unit.P99_SECONDS, told, 0) == 0.25
