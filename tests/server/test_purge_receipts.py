"""A receipt tells who, where, how fast; and nothing that nobody said."""

from __future__ import annotations

import json

import pytest

from edge.fleet.registry import Acknowledged, Missing, Receipt
from edge.server.purge_receipts import MAX_NAMED, receipt_said


def receipt(*ats: float | None, pending: tuple[Missing, ...] = (), away: tuple[Missing, ...] = ()) -> Receipt:
    applied = tuple(Acknowledged(f"n{number}", "eu", at) for number, at in enumerate(ats))
    return Receipt(7, "00000000000000aa", None, applied, pending, away)


def test_quantiles_are_times_that_nodes_really_took():
    said = receipt_said(receipt(*(100.0 + number / 100 for number in range(100))), 100.0)
    assert said["seconds"] == {"p50": 0.49, "p99": 0.98}


def test_one_node_is_both():
    assert receipt_said(receipt(5.5), 5.0)["seconds"] == {"p50": 0.5, "p99": 0.5}


def test_what_is_longer_ago_than_is_remembered_has_no_time():
    said = receipt_said(receipt(None), 5.0)
    assert (said["done"], said["seconds"], said["applied"][0]["after"]) == (True, None, None)


def test_clocks_of_two_nodes_that_differ_give_no_negative_times():
    said = receipt_said(receipt(4.9), 5.0)
    assert (said["applied"][0]["after"], said["seconds"]["p50"]) == (0.0, 0.0)


@pytest.mark.parametrize("kind", ["pending", "away"])
def test_who_has_not_is_named_with_where_he_is(kind: str):
    missing = Missing("n9", "sgp", 5, "00000000000000aa", 2.34567, contested=True)
    said = receipt_said(receipt(5.5, **{kind: (missing,)}), 5.0)
    assert said[kind] == [{"node": "n9", "region": "sgp", "applied": 5, "silent": 2.346, "contested": True}]
    assert said["done"] is (kind == "away")


def test_so_many_are_written_out_and_all_are_counted():
    said = receipt_said(receipt(*([5.5] * (MAX_NAMED + 5))), 5.0)
    assert (len(said["applied"]), said["regions"][0]["applied"]) == (MAX_NAMED, MAX_NAMED + 5)
    assert len(json.dumps(said)) < 100_000
