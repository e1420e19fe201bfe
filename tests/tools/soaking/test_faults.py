"""What goes wrong in a soak, drawn from its seed."""

from __future__ import annotations

import random

from edge.clock import SystemClock
from tools.soaking.faults import WEIGHTS, Fault, Injector, Planned, plan


def test_the_same_seed_plans_the_same_and_every_fault_comes() -> None:
    planned = list(plan(random.Random(5), 2_000.0, long=18.0))
    assert planned == list(plan(random.Random(5), 2_000.0, long=18.0))
    assert planned != list(plan(random.Random(6), 2_000.0, long=18.0))
    assert {each.fault for each in planned} == set(Fault) == set(WEIGHTS)
    assert [each.at for each in planned] == sorted(each.at for each in planned)
    assert max(each.at for each in planned) < 2_000.0


def test_some_last_longer_than_a_node_may_go_without_news_and_most_do_not() -> None:
    lasting = [each.lasts for each in plan(random.Random(5), 2_000.0, long=18.0)]
    assert any(seconds > 18.0 for seconds in lasting)
    assert sum(seconds < 7.0 for seconds in lasting) > len(lasting) / 2


async def test_what_was_done_is_remembered_and_what_could_not_be_is_counted() -> None:
    async def do(planned: Planned) -> str:
        return "n1" if planned.which else ""

    injector = Injector(do, SystemClock())
    planned = [Planned(0.0, Fault.SERVER_KILLED, 0.0, which) for which in (1, 0, 1)]
    await injector.run(iter(planned))
    assert [(each.fault, each.target) for each in injector.happened] == [(Fault.SERVER_KILLED, "n1")] * 2
    assert injector.skipped == {Fault.SERVER_KILLED: 1}
    assert all(each.began <= each.ended for each in injector.happened)
