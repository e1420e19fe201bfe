"""What is seen of a purge is what the node told."""

from __future__ import annotations

import pytest

from tests.kit.purge_node import node, receipt
from tools.purge_progress import Progress, aligned, as_lines, scope_of

EU, US = ("a", "eu"), ("b", "us")


def test_columns_are_aligned():
    assert aligned([("A", "BB"), ("aaa", "b")]) == ["A    BB", "aaa  b"]


ENDS = [
    ("all have it", receipt(applied=(EU, US)), "x: in force everywhere"),
    ("one has not", receipt(applied=(EU,), pending=(US,)), "x: ordered, and not yet in force everywhere"),
    ("one is away", receipt(applied=(EU,), away=(US,)), "x: in force everywhere"),
    (
        "nobody knows who is there",
        receipt(applied=(EU,), surveyed=False),
        "x: ordered; the node does not know yet which others there are",
    ),
    ("one region", receipt(applied=(EU,), region="eu"), "x: in force in eu"),
]


@pytest.mark.parametrize(("said", "end"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_the_last_line_says_how_it_stands(said, end: str):
    assert as_lines("x", said)[-1] == end


def test_a_contested_name_is_said():
    said = receipt(pending=(EU,)) | {"pending": [node("a", contested=True)]}
    assert "two nodes have this name" in as_lines("x", said)[1]


SCOPES = [
    ("has it", receipt(applied=(EU,), pending=(US,)), True),
    ("has not", receipt(applied=(US,), pending=(EU,)), False),
    ("nobody there", receipt(applied=(US,)), False),
    ("nobody knows", receipt(applied=(EU,), surveyed=False), False),
]


@pytest.mark.parametrize(("said", "done"), [case[1:] for case in SCOPES], ids=[case[0] for case in SCOPES])
def test_the_receipt_of_one_region_is_of_its_nodes(said, done: bool):
    scoped = scope_of(said, "eu")
    assert (scoped["done"], scoped["region"]) == (done, "eu")
    assert all(one["region"] == "eu" for one in scoped["regions"])


def test_a_receipt_that_is_of_the_region_stays_as_it_is():
    said = receipt(applied=(EU,), region="eu")
    assert scope_of(said, "eu") is said
    assert scope_of(said, None) is said


def test_where_nobody_watches_nothing_is_written(capsys: pytest.CaptureFixture[str]):
    with Progress() as progress:
        progress.show(receipt(applied=(EU,), pending=(US,)))
        progress.show(receipt(applied=(EU, US)))
    assert capsys.readouterr() == ("", "")
