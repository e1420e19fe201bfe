"""What a purge would name is what it names: counted by the table itself, over all that a worker has."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import BadMessage, NewHistory, PurgeOrder, encode
from edge.semantics.rules import SiteRules
from edge.semantics.selectors import Everything, Host, Selector, Site
from edge.server.surveying import answer_of, surveyed
from edge.settings.sites import SiteTable
from edge.store.store import Store
from tests.kit.clock import ManualClock
from tests.kit.stored_responses import HERE
from tests.kit.stores import store_room
from tests.kit.sweeps import put, tag, written

CLOCK = ManualClock()
COUNTED = {"objects": 2, "bytes": 30, "hot_objects": 1, "examined": 9, "complete": True}


async def counted(store: Store, *items: Selector, soft: bool = False) -> int:
    order = encode(PurgeOrder("one", UnixSeconds(0.0), items, soft))
    found = await surveyed(order, SiteTable([SiteRules()]), store.contents, seconds=1.0, clock=CLOCK)
    assert found.complete
    return found.objects


async def test_what_is_named_is_counted_and_stays(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        for number, word in enumerate((b"red", b"red", b"blue")):
            put(store, number, word)
        await written(store)
        assert await counted(store, Everything()) == 3
        assert await counted(store, tag(b"red")) == 2
        assert await counted(store, Host(HERE.host), soft=True) == 3
        assert await counted(store, Site("another")) == 0
        assert await counted(store, Everything()) == 3


@pytest.mark.parametrize("data", [b"", b"{}", encode(NewHistory("0" * 16, "a", UnixSeconds(0.0)))])
async def test_what_is_no_order_names_nothing(tmp_path: Path, data: bytes):
    async with store_room(tmp_path).store() as store:
        with pytest.raises(BadMessage):
            await surveyed(data, SiteTable(), store.contents, seconds=1.0, clock=CLOCK)


ANSWERS = [
    ("both", [COUNTED, COUNTED], (4, 60, 2, True)),
    ("one had no time", [COUNTED, {**COUNTED, "complete": False}], (4, 60, 2, False)),
    ("one did not answer", [COUNTED], (2, 30, 1, False)),
    ("one failed", [COUNTED, {"error": "the disk cannot be read"}], (2, 30, 1, False)),
    ("nobody", [], (0, 0, 0, False)),
]


@pytest.mark.parametrize(("said", "sums"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_the_answer_of_a_node_is_the_sum_of_its_workers_and_says_what_is_missing(said, sums):
    answer = answer_of(said, workers=2)
    assert tuple(answer[name] for name in ("objects", "bytes", "hot_objects", "complete")) == sums
