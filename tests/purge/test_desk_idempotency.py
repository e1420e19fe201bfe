"""The same purge under the same Idempotency-Key is the same order, on every node, and answered as such."""

from __future__ import annotations

import pytest

from edge.purge.declined import Reason
from tests.kit.desks import ALL, SHOPS, Office, declined, ordered, urls

ONE = urls(1)
KEY = (b"Idempotency-Key", b"deploy-77")


async def test_the_same_purge_under_the_same_key_is_the_same_order_on_every_node():
    office = Office()
    a, b = await office.desk(), await office.desk()
    first = ordered(await a.ask(office.post(ONE, lines=(KEY,))))
    for desk in (a, b):
        again = ordered(await desk.ask(office.post(ONE, lines=(KEY,))))
        assert (again.id, again.seq, again.at, again.repeated) == (first.id, 1, first.at, True)
    office.deliver()
    asked = office.log.asked
    assert ordered(await b.ask(office.post(ONE, lines=(KEY,)))).repeated
    assert (len(office.log.stored), office.log.asked) == (1, asked), "what was read is not asked for again"


async def test_the_very_same_bytes_with_a_key_are_answered_and_not_called_a_replay():
    office = Office()
    desk = await office.desk()
    request = office.post(ONE, lines=(KEY,))
    first = ordered(await desk.ask(request))
    office.deliver()
    assert ordered(await desk.ask(request)).id == first.id


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("said", [urls(1, 5), ONE | {"soft": True}, ONE | {"note": "x"}])
async def test_another_purge_under_the_same_key_is_422(said: dict[str, object], read: bool):
    office = Office()
    desk = await office.desk()
    first = ordered(await desk.ask(office.post(ONE, lines=(KEY,))))
    if read:
        office.deliver()
    answer = declined(await desk.ask(office.post(said, lines=(KEY,))))
    assert (answer.reason, answer.status, answer.id) == (Reason.IDEMPOTENCY_CONFLICT, 422, first.id)


async def test_two_signers_may_use_one_idempotency_key():
    office = Office()
    desk = await office.desk()
    mine = ordered(await desk.ask(office.post(ONE, lines=(KEY,), key=ALL)))
    others = ordered(await desk.ask(office.post(ONE, lines=(KEY,), key=SHOPS)))
    assert mine.id != others.id


async def test_a_retry_under_the_same_key_after_a_503_is_the_same_order():
    office = Office()
    a, b = await office.desk(), await office.desk()
    office.log.deaf = True
    lost = declined(await a.ask(office.post(ONE, lines=(KEY,))))
    office.log.deaf = False
    found = ordered(await b.ask(office.post(ONE, lines=(KEY,))))
    assert (found.id, found.repeated) == (lost.id, True)
