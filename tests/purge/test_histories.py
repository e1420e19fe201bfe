"""Numbers for histories: the same for all processes, and never one twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.errors import StoreFault
from edge.purge.histories import FIRST_SLOT, KEPT, MAX_NUMBER, SLOT_SECONDS, Histories
from tests.kit.clock import ManualClock

A, B = "a" * 16, "b" * 16
DAY_327 = ManualClock()  # 2026-11-24
FIRST = 327 * 4 + 1


def made(folder: Path, clock: ManualClock = DAY_327) -> Histories:
    return Histories(folder / "purge", clock)


def test_a_history_keeps_its_number(tmp_path: Path):
    one, other = made(tmp_path), made(tmp_path)
    assert one.number_of(A) is None
    assert one.enter(A, after=0) == FIRST
    assert (other.enter(A, after=0), other.number_of(A), one.enter(A, after=0)) == (FIRST, FIRST, FIRST)


def test_a_later_history_has_a_larger_number(tmp_path: Path):
    histories = made(tmp_path)
    first = histories.enter(A, after=0)
    assert histories.enter(B, after=first) == first + 1


def test_a_history_that_comes_back_gets_a_new_number_and_all_processes_the_same(tmp_path: Path):
    one, other = made(tmp_path), made(tmp_path)
    first = one.enter(A, after=0)
    second = one.enter(B, after=first)
    third = one.enter(A, after=second)
    assert third > second
    assert other.enter(A, after=second) == third
    assert made(tmp_path).enter(A, after=0) == third


def test_a_file_that_is_lost_gives_no_number_again(tmp_path: Path):
    first = made(tmp_path).enter(A, after=0)
    (tmp_path / "purge" / "histories.json").unlink()
    later = ManualClock(DAY_327.now() + SLOT_SECONDS)
    assert made(tmp_path, later).enter(B, after=0) > first


def test_a_folder_that_is_removed_gives_no_number_again(tmp_path: Path):
    """What was stored under one would be trusted although nobody knows what was purged since."""
    first = made(tmp_path).enter(A, after=0)
    second = made(tmp_path).enter(B, after=first)
    shutil.rmtree(tmp_path / "purge")
    assert made(tmp_path).enter("c" * 16, after=0) == second + 1


@pytest.mark.parametrize("said", [b"", b"-1", b"what", b"7 8"])
def test_a_last_number_that_cannot_be_read_is_none(tmp_path: Path, said: bytes):
    (tmp_path / "purge.last").write_bytes(said)
    assert made(tmp_path).enter(A, after=0) == FIRST


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"v":2,"histories":{}}',
        b'{"v":1}',
        b'{"v":1,"histories":{"a":"1"}}',
        b'{"v":1,"histories":7}',
    ],
)
def test_a_damaged_file_is_put_aside_and_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
):
    histories = made(tmp_path)
    histories.enter(A, after=0)
    file = tmp_path / "purge" / "histories.json"
    file.write_bytes(content)
    assert histories.number_of(A) is None
    assert file.with_suffix(".damaged").read_bytes() == content
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert histories.enter(B, after=FIRST) == FIRST + 1


def test_what_is_remembered_is_bounded(tmp_path: Path):
    histories = made(tmp_path)
    histories.enter(A, after=0)
    held = {f"{index:016x}": index + 1 for index in range(KEPT)}
    (tmp_path / "purge" / "histories.json").write_text(
        json.dumps({"v": 1, "histories": held}), encoding="ascii"
    )
    number = histories.enter(A, after=0)
    known = json.loads((tmp_path / "purge" / "histories.json").read_bytes())["histories"]
    assert len(known) == KEPT
    assert (max(known.values()), min(known.values())) == (number, 2)


def test_there_is_an_end_and_it_is_told(tmp_path: Path):
    with pytest.raises(StoreFault, match="no numbers are left"):
        made(tmp_path).enter(A, after=MAX_NUMBER)


def test_the_calendar_lasts_for_decades():
    assert MAX_NUMBER * SLOT_SECONDS > 40 * 365 * 86_400
    assert FIRST_SLOT * SLOT_SECONDS == 1_767_225_600


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=12))
@hypothesis_settings(max_examples=25, deadline=None)
def test_whoever_goes_from_history_to_history_only_goes_up(tmp_path_factory: pytest.TempPathFactory, steps):
    folder = tmp_path_factory.mktemp("h")
    at = [0, 0, 0]
    for name, who in steps:
        number = made(folder).enter(name * 16, after=at[who])
        assert number > at[who]
        at[who] = number


def test_processes_that_come_at_once_agree(tmp_path: Path):
    program = (
        "import sys; from pathlib import Path; from edge.clock import SystemClock; "
        "from edge.purge.histories import Histories; "
        "print(Histories(Path(sys.argv[1]), SystemClock()).enter('a' * 16, after=0))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "p")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
