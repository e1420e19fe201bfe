"""What was counted is what is shown, by one worker or by several as one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edge.metrics import MAX_CELLS, OTHER, Merge, Registry, exposition, flat, merge


def scraped(registry: Registry) -> dict[tuple[str, tuple[str, ...]], float]:
    text = exposition(registry.snapshot()).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_counter_is_an_attribute_that_is_added_to():
    registry = Registry()
    requests = registry.counter("perigee_requests_total", unit="requests", help="All.", labels=("site",))
    cell = requests.of("a")
    cell.value += 2
    requests.of("b").value += 1
    assert requests.of("a") is cell
    assert scraped(registry) == {("perigee_requests_total", ("a",)): 2, ("perigee_requests_total", ("b",)): 1}


def test_a_metric_without_labels_is_shown_before_anything_was_counted():
    registry = Registry()
    registry.counter("perigee_reloads_total", unit="reloads", help="All.")
    assert scraped(registry) == {("perigee_reloads_total", ()): 0}


def test_a_gauge_may_be_read_from_its_source_on_scrape():
    registry = Registry()
    held: list[int] = []
    gauge = registry.gauge("perigee_held", unit="things", help="Held.").of()
    gauge.source = lambda: len(held)
    held += [1, 2, 3]
    assert scraped(registry) == {("perigee_held", ()): 3}


def test_a_histogram_counts_what_fell_at_or_below_each_bound():
    registry = Registry()
    cell = registry.histogram("perigee_wait_seconds", unit="seconds", help="Wait.", bounds=(0.1, 1.0)).of()
    for seconds in (0.05, 0.1, 0.5, 7.0):
        cell.observe(seconds)
    assert scraped(registry) == {
        ("perigee_wait_seconds_bucket", ("0.1",)): 2,
        ("perigee_wait_seconds_bucket", ("1.0",)): 3,
        ("perigee_wait_seconds_bucket", ("+Inf",)): 4,
        ("perigee_wait_seconds_count", ()): 4,
        ("perigee_wait_seconds_sum", ()): 7.65,
    }


def test_label_values_without_end_are_counted_together_beyond_a_bound():
    registry = Registry()
    family = registry.counter("perigee_hosts_total", unit="hosts", help="Hosts.", labels=("host", "port"))
    for n in range(MAX_CELLS + 50):
        family.of(str(n), "80").value += 1
    counted = flat(registry.snapshot(), "perigee_hosts_total")
    assert len(counted) == MAX_CELLS + 1
    assert counted[OTHER, OTHER] == 50
    assert sum(counted.values()) == MAX_CELLS + 50


def test_a_label_value_cannot_break_the_page():
    registry = Registry()
    registry.counter("perigee_x_total", unit="x", help='A "help"\nof two lines.', labels=("l",)).of(
        'a"\n\\'
    ).value += 1
    assert scraped(registry) == {("perigee_x_total", ('a"\n\\',)): 1}


@pytest.mark.parametrize(
    ("kind", "name", "unit", "complaint"),
    [
        ("counter", "perigee_requests", "requests", "_total"),
        ("gauge", "perigee_requests_total", "requests", "_total"),
        ("counter", "requests_total", "requests", "perigee_"),
        ("counter", "perigee_sent_total", "bytes", "must end in bytes"),
        ("gauge", "perigee_wait", "seconds", "must end in seconds"),
    ],
)
def test_a_name_says_what_it_measures(kind: str, name: str, unit: str, complaint: str):
    registry = Registry()
    declare = registry.counter if kind == "counter" else registry.gauge
    with pytest.raises(AssertionError, match=complaint):
        declare(name, unit=unit, help="x")


def test_a_metric_is_declared_once():
    registry = Registry()
    registry.gauge("perigee_x", unit="x", help="x")
    with pytest.raises(AssertionError, match="declared twice"):
        registry.gauge("perigee_x", unit="x", help="x")


def test_a_cell_needs_a_value_for_every_label():
    family = Registry().counter("perigee_x_total", unit="x", help="x", labels=("a", "b"))
    with pytest.raises(AssertionError, match="has labels"):
        family.of("1")


def worker(count: int, low: float, waits: list[float]) -> Registry:
    registry = Registry()
    registry.counter("perigee_n_total", unit="n", help="n", labels=("l",)).of("same").value += count
    registry.gauge("perigee_sum", unit="n", help="n").of().value = low
    registry.gauge("perigee_low", unit="n", help="n", merge=Merge.MIN).of().value = low
    registry.gauge("perigee_high", unit="n", help="n", merge=Merge.MAX).of().value = low
    cell = registry.histogram("perigee_wait_seconds", unit="seconds", help="n", bounds=(1, 2)).of()
    for wait in waits:
        cell.observe(wait)
    return registry


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(-9, 9), st.lists(st.integers(0, 3))), min_size=1, max_size=5
    )
)
def test_several_workers_are_shown_as_one(workers: list[tuple[int, int, list[int]]]):
    snapshots = [worker(n, low, [float(wait) for wait in waits]).snapshot() for n, low, waits in workers]
    through_a_pipe = [json.loads(json.dumps(snapshot)) for snapshot in snapshots]
    assert through_a_pipe == snapshots
    total = merge(through_a_pipe)
    lows = [low for _, low, _ in workers]
    assert flat(total, "perigee_n_total") == {("same",): sum(n for n, _, _ in workers)}
    assert flat(total, "perigee_sum") == {(): sum(lows)}
    assert flat(total, "perigee_low") == {(): min(lows)}
    assert flat(total, "perigee_high") == {(): max(lows)}
    [cell] = total["perigee_wait_seconds"]["cells"]
    everything = [wait for _, _, waits in workers for wait in waits]
    assert sum(cell["counts"]) == len(everything)
    assert cell["sum"] == sum(everything)
    assert through_a_pipe == snapshots, "merging changed what it was given"


def test_a_worker_that_counted_something_else_adds_its_own_cells():
    first, second = Registry(), Registry()
    for registry, label in ((first, "a"), (second, "b")):
        registry.counter("perigee_n_total", unit="n", help="n", labels=("l",)).of(label).value += 1
    second.gauge("perigee_new", unit="n", help="n").of().value = 7
    total = merge([first.snapshot(), second.snapshot()])
    assert flat(total, "perigee_n_total") == {("a",): 1, ("b",): 1}
    assert flat(total, "perigee_new") == {(): 7}
