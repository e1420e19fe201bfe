"""The demo's files are made once, and are the same everywhere."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from tools.demo_site import BUNDLED, CHANGED, lay_out

LARGE = {"2MB.bin": 2}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "site", LARGE)


def test_every_bundled_file_is_there_with_one_date(site: Path):
    for source in BUNDLED.iterdir():
        assert (site / source.name).read_bytes() == source.read_bytes()
    assert {path.stat().st_mtime for path in site.iterdir()} == {CHANGED}


def test_text_is_there_compressed_too(site: Path):
    assert gzip.decompress((site / "index.html.gz").read_bytes()) == (site / "index.html").read_bytes()
    assert not (site / "orbit.png.gz").exists()


def test_a_large_file_has_its_size_and_the_same_bytes_everywhere(site: Path):
    made = (site / "2MB.bin").read_bytes()
    assert len(made) == 2 << 20
    assert made[: 1 << 20] != made[1 << 20 :]
    assert (
        hashlib.sha256(made).hexdigest() == "a815654a3ebf6dde85b4d837c4a56e5bf3b6745a59e45817db957a515cbc8ea9"
    )


def test_an_unfinished_large_file_is_made_again_and_a_finished_one_is_not(site: Path):
    finished = (site / "2MB.bin").stat().st_ino
    lay_out(site, LARGE)
    assert (site / "2MB.bin").stat().st_ino == finished
    (site / "2MB.bin").write_bytes(b"short")
    lay_out(site, LARGE)
    assert (site / "2MB.bin").stat().st_size == 2 << 20
