"""`make replay-tiers`: what it refuses, what a shield can save at most, and its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import replay_tiers
from tools.replay_tiers import BEGIN, END, PAGE, ROWS, Row, Run, between_markers, least_of, main, table_line
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
