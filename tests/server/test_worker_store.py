"""The store as the settings want it, and its faults as an operator sees them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from edge.measures import Measures
from edge.semantics.rules import MIB
from edge.server.worker_store import STORE_FAULT_SECONDS, StoreFaults, make_store
from edge.settings.node import DiskSettings, NodeSettings
from edge.store.disk_faults import DiskFailure, DiskFault
from tests.kit.clock import ManualClock


async def test_the_disk_is_divided_among_the_workers(tmp_path: Path):
    measures = Measures()
    settings = replace(NodeSettings(), data_dir=tmp_path, disk=DiskSettings(capacity=64 * MIB))
    store = make_store(
        settings,
        count=4,
        owns=lambda _: True,
        open_files=16,
        measures=measures,
        faults=StoreFaults(ManualClock()),
    )
    await store.open()
    assert measures.stored_limit_bytes.of("disk").value == 16 * MIB
    assert measures.stored_limit_bytes.of("memory").value == settings.memory.capacity
    await store.aclose()


async def test_there_may_be_no_disk(tmp_path: Path):
    settings = replace(NodeSettings(), data_dir=tmp_path, disk=DiskSettings(capacity=None))
    store = make_store(
        settings,
        count=1,
        owns=lambda _: True,
        open_files=16,
        measures=Measures(),
        faults=StoreFaults(ManualClock()),
    )
    await store.open()
    assert store.disk is None
    await store.aclose()


def test_each_kind_of_fault_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture):
    clock = ManualClock()
    faults = StoreFaults(clock)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            faults.note(DiskFault(DiskFailure.NO_SPACE, "full"))
            faults.note(DiskFault(DiskFailure.IO, "broken"))
        assert len(caplog.records) == 2
        clock.advance(STORE_FAULT_SECONDS)
        faults.note(DiskFault(DiskFailure.NO_SPACE, "full again"))
    assert len(caplog.records) == 3
    assert faults.latest is not None and "full again" in faults.latest


def test_what_the_settings_refuse_is_no_fault():
    faults = StoreFaults(ManualClock())
    faults.note(DiskFault(DiskFailure.TOO_LARGE, "large"))
    assert faults.latest is None
