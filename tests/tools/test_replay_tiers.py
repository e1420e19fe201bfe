"""`make replay-tiers`: what it refuses, what a shield can save at most, and its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import replay_tiers
from tools.replay_tiers import (
    BEGIN,
    END,
    PAGE,
    ROWS,
    Row,
    Run,
    between_markers,
    edged,
    least_beside,
    least_of,
    main,
    small,
    table_line,
)
from tools.replaying.access_lines import Line, Recorded
from tools.replaying.origin import Counted
from tools.replaying.spread import Spread
from tools.replaying.tally import Answered, Tally
from tools.replaying.tiers import Deed, Did

TURNS = Row("turns", "requests go round", Spread.TURNS)


def recorded(targets: str, size: int = 10) -> Recorded:
    lines = tuple(Line(f"192.0.2.{at}", at, "GET", f"/{name}", 200, size) for at, name in enumerate(targets))
    return Recorded(lines, {}, is_cut=False)


@pytest.mark.parametrize(
    ("targets", "alone", "shielded"),
    [("aaaa", 4, 1), ("abcd", 4, 4), ("aaaaaaaa", 4, 1), ("abababab", 4, 2), ("a", 1, 1)],
)
def test_each_edge_asks_once_at_least_and_the_shields_once_for_all(targets: str, alone: int, shielded: int):
    least = least_of(recorded(targets), TURNS)
    assert (least.alone, least.shielded) == (alone, shielded)
    assert (least.alone_bytes, least.shielded_bytes) == (10 * alone, 10 * shielded)
    assert least.requests == least.nbytes == 1 - shielded / alone


def test_more_clients_bring_a_target_to_more_edges():
    least = least_of(recorded("a"), Row("busy", "", Spread.TURNS, 4))
    assert (least.alone, least.shielded) == (4, 1)


def test_a_line_says_what_was_saved_and_what_could_be():
    tally = Tally([4])
    for deeds in [(Deed("e", Did.HIT),)] * 3 + [(Deed("e", Did.FORWARDED), Deed("s", Did.HIT))]:
        tally.answered(Answered(200, 10, 0.1, 0.1, deeds))
    alone = Run(Counted(4, 0, 4_000_000), Tally([4]), ("e",), ())
    shielded = Run(Counted(1, 0, 1_000_000), tally, ("e",), ("s",))
    said = table_line(TURNS, alone, shielded, least_of(recorded("aaaa"), TURNS))
    assert said == (
        "| requests go round | 4 requests, 4 MB | 1 requests, 1 MB | **75.0%**, 75.0% of bytes | 75.0%, 75.0% of bytes "
        "| 75.0% | 100.0% | 75.0% |"
    )


def test_a_replay_in_time_says_how_late_it_was():
    tally = Tally([4], late=2.5)
    said = table_line(
        Row("timed", "the log's own times", Spread.TURNS, speed=10),
        Run(Counted(4, 0, 4), tally, ("e",), ()),
        Run(Counted(1, 0, 1), Tally([4]), ("e",), ("s",)),
        least_of(recorded("aaaa"), TURNS),
    )
    assert said.startswith(
        "| the log's own times (the latest request 2.5 s late) | 4 requests, 0 MB | 1 requests"
    )


def test_of_edges_that_forget_the_most_is_what_they_asked_for_more_than_once():
    """Nine asked for three targets: six of nine can be saved, though four edges that keep all would have asked six times."""
    alone = Run(Counted(9, 0, 90_000_000), Tally([12]), ("e",), ())
    shielded = Run(Counted(3, 0, 30_000_000), Tally([12]), ("e",), ("s",))
    least = least_of(recorded("aaabbbccc", 10_000_000), TURNS)
    row = small(Spread.TURNS, 16)
    assert (row.memory, row.disk, row.has_room) == ("16MiB", "off", False)
    assert least_beside(least, row, alone).alone == 9
    assert least_beside(least, TURNS, alone) == least
    said = table_line(row, alone, shielded, least)
    assert said.startswith(
        "| requests go round; edges have 16 MiB of memory and no disk | 9 requests, 90 MB |"
    )
    assert "| **66.7%**, 66.7% of bytes | 66.7%, 66.7% of bytes |" in said


def test_edges_may_be_others_for_all_rows():
    assert edged(TURNS, None, None) is TURNS
    said = edged(small(Spread.TURNS, 16), "48MiB", None)
    assert (said.memory, said.disk) == ("48MiB", "off")
    assert said.what == "requests go round; edges have memory 48MiB, disk off"
    assert edged(TURNS, "48MiB", None).what == "requests go round; edges have memory 48MiB, disk enough"


def test_a_size_of_edges_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for option in ("--edge-memory", "--edge-disk"):
        with pytest.raises(SystemExit):
            main([str(tmp_path / "log"), "turns", option, "16"])
        assert "'16' is no size; write one as 16MiB" in capsys.readouterr().err


def test_the_page_has_a_place_for_the_table():
    page = between_markers(PAGE.read_text(encoding="utf-8"), "new")
    assert f"{BEGIN}\nnew\n{END}" in page
    with pytest.raises(ValueError, match="replay-tiers"):
        between_markers("nothing", "new")


def test_what_cannot_be_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path / "log"), "nothing"]) == 1
    assert main([str(tmp_path / "log"), "turns"]) == 1
    said = capsys.readouterr().err
    assert "no such row: nothing; there are address, turns" in said
    assert "No such file" in said


def test_rows_have_names_of_their_own():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert replay_tiers.EDGES == 4
