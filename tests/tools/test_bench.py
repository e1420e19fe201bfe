"""`make bench` from the command line: what it refuses, and one whole small run of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import bench
from tools.benching.report import BEGIN, END, between_markers
from tools.benching.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=55)


@pytest.mark.slow
def test_a_row_that_does_not_exist_is_refused_with_those_that_do():
    said = run("hist")
    assert said.returncode == 1
    assert "no such row: hist; there are hits, " in said.stderr


@pytest.mark.slow
def test_what_cannot_be_profiled_is_refused():
    said = run("--profile", "tls")
    assert said.returncode == 1
    assert "speaks no TLS" in said.stderr


@pytest.mark.slow
def test_a_row_that_cannot_be_measured_here_is_left_out_and_says_why():
    """Without wrk there is no load over TLS: the run itself is none the worse."""
    said = run("--alone", "--rounds", "1", "--seconds", "1", "tls", "crowd")
    assert said.returncode == 0, said.stderr
    assert "| 1,000 clients at once, one cold URL, 1 s origin |" in said.stdout
    assert ("over TLS" in said.stdout) is ("tls: left out: " not in said.stderr)


@pytest.mark.slow
def test_a_small_run_prints_its_table():
    said = run("--alone", "--rounds", "1", "--seconds", "1", "304")
    assert said.returncode == 0, said.stderr
    assert "| 304 to If-None-Match |" in said.stdout
    assert " requests/s (" in said.stdout


def test_the_page_has_a_place_for_the_table():
    page = bench.PAGE.read_text()
    assert BEGIN in between_markers(page, "new")
    assert END in page


def test_the_whole_run_ends_by_itself():
    contenders = {name: 1 + len(make().beside) for name, make in WORKLOADS.items()}
    turns = sum(contenders.values())
    quick = sum(count for name, count in contenders.items() if name not in bench.NOT_QUICK)
    assert bench.LIMIT_SECONDS < 600
    # Four fifths of it at most are spent on measuring; the rest is for starting and filling.
    assert turns * bench.ROUNDS * bench.TURN_SECONDS < 0.8 * bench.LIMIT_SECONDS
    assert quick * bench.QUICK_ROUNDS * bench.QUICK_SECONDS < 60
