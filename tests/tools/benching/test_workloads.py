"""What is measured: rows that mean what they are called."""

from __future__ import annotations

from collections import Counter

import pytest

from tools.benching.origin import size_of
from tools.benching.servers import Nginx
from tools.benching.varnish import Varnish
from tools.benching.workloads import DISK_MEMORY_MIB, WORKLOADS, Origin


def test_every_row_has_its_name():
    assert [make().name for make in WORKLOADS.values()] == list(WORKLOADS)


def test_hits_are_a_thousand_paths_some_of_them_far_more_popular():
    targets = WORKLOADS["hits"]().targets
    counts = Counter(targets).most_common()
    assert 900 < len(counts) <= 1000
    assert counts[0][1] > 20 * counts[len(counts) // 2][1]
    assert targets == WORKLOADS["hits"]().targets, "the same every time"


def test_the_disk_row_is_ten_times_what_memory_holds():
    row = WORKLOADS["disk"]()
    assert sum(map(size_of, row.distinct)) == 10 * DISK_MEMORY_MIB << 20
    assert len(row.distinct) == len(row.targets)


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_what_is_asked_for_once_reaches_the_origin_and_nothing_else_does(name: str):
    row = WORKLOADS[name]()
    assert (row.origin is Origin.NOTHING) == bool(row.targets)


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_a_row_is_about_contenders_that_there_are_and_that_can(name: str):
    row = WORKLOADS[name]()
    others = {Nginx.name: Nginx(), Varnish.name: Varnish()}
    assert row.beside
    assert set(row.beside) <= others.keys()
    assert not (row.tls and Varnish.name in row.beside), "it speaks none"
