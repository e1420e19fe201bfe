"""Drains outlive a restart; a file that is damaged keeps nobody from starting."""

from __future__ import annotations

from pathlib import Path

from edge.geo.drains import Drain
from edge.server.kept_drains import FILE, read_drains, write_drains

DRAINS = {"fra": Drain(100.5, True, "dns-1"), "iad": Drain(200.0, False, "dns-2")}


def test_they_come_back_as_they_were(tmp_path: Path):
    assert read_drains(tmp_path) == {}
    write_drains(DRAINS, tmp_path)
    assert read_drains(tmp_path) == DRAINS


def test_what_cannot_be_read_is_told_and_nothing(tmp_path: Path, caplog):
    (tmp_path / FILE).write_text('{"fra": [tr', encoding="utf-8")
    assert read_drains(tmp_path) == {}
    assert "drains cannot be read" in caplog.text


def test_a_disk_that_fails_is_told(tmp_path: Path, caplog):
    write_drains(DRAINS, tmp_path / "missing")
    assert "drains cannot be kept" in caplog.text
