"""What is asked of nodes is the order itself; what they answer is checked, and added up."""

from __future__ import annotations

import json

import pytest

from edge.purge.desk_dry_run import Would, answered, asked, question, together
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder, Tick, encode
from edge.semantics.selectors import Tag, read_uri

ORDER = PurgeOrder("dry-run", UnixSeconds(5.0), (read_uri("https://shop.example/a"), Tag("shop", b"\xe9")))


def test_the_order_arrives_as_it_was_after_a_trip_through_json():
    assert asked(json.loads(json.dumps(question(ORDER)))) == ORDER


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"would_purge": 5},
        {"would_purge": "{}"},
        {"would_purge": "\ud800"},
        {"would_purge": encode(Tick(UnixSeconds(0.0), "a", {})).decode()},
        {"what": "else"},
    ],
)
def test_another_question_is_none_of_ours(said: dict[str, object]):
    assert asked(said) is None


def test_an_answer_arrives_as_it_was():
    would = Would(3, 4_096, 2, complete=False)
    assert answered(json.loads(json.dumps(would.as_json()))) == would


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"objects": 1, "bytes": 1, "hot_objects": 1},
        {"objects": -1, "bytes": 1, "hot_objects": 1, "complete": True},
        {"objects": True, "bytes": 1, "hot_objects": 1, "complete": True},
        {"objects": 1.5, "bytes": 1, "hot_objects": 1, "complete": True},
        {"objects": 1 << 70, "bytes": 1, "hot_objects": 1, "complete": True},
        {"objects": 1, "bytes": 1, "hot_objects": 1, "complete": "yes"},
    ],
)
def test_an_answer_that_cannot_be_is_not_believed(said: dict[str, object]):
    assert answered(said) is None


def test_nodes_add_up_and_one_that_had_no_time_is_not_hidden():
    parts = [Would(1, 10, 1), Would(2, 20, 0, complete=False)]
    assert together(parts) == Would(3, 30, 1, complete=False)
    assert together([]) == Would()
