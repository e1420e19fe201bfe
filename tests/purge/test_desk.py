"""Who may order what, once, on all nodes together; and what is said where it cannot be known."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.declined import Declined, Reason
from edge.purge.desk import derived_id, renewed
from edge.purge.log import LogUnavailable, Past
from edge.purge.requests import PurgeRequest
from edge.purge.signing.faults import SignatureFault
from edge.purge.signing.keys import KeyRing
from edge.purge.signing.nonces import Nonces
from edge.purge.signing.verify import Policy
from edge.semantics.message import Line
from edge.semantics.selectors import Everything, Tag, read_uri
from tests.kit.clock import ManualClock
from tests.kit.desks import ALL, SHOPS, TAGS, Office, declined, ordered, posted, purged, urls

ONE = urls(1)
KEY = (b"Idempotency-Key", b"deploy-77")
AT = ManualClock().now()


# --- orders ----------------------------------------------------------------------------------------------------------


async def test_an_order_is_in_the_log_with_who_asked_and_with_which_nonce():
    office = Office()
    desk = await office.desk()
    answer = ordered(
        await desk.ask(office.post({"urls": ["https://shop.example/a"], "soft": True, "note": "release"}))
    )
    (past,) = office.log.stored
    assert (answer.id, answer.seq, answer.items, answer.repeated) == (past.order.id, 1, 1, False)
    assert past.order.items == (read_uri("https://shop.example/a"),)
    assert (past.order.soft, past.order.note, past.order.by) == (True, "release", "all")
    assert (past.order.nonce, past.order.created) == ("nonce-number-1", AT)
    assert desk.verdicts() == {"verified": 1.0}


async def test_the_log_that_has_an_order_twice_before_it_says_so_has_taken_it_once():
    office = Office()
    desk = await office.desk()
    office.log.twice = True
    assert not ordered(await desk.ask(office.post(ONE))).repeated
    assert len(office.log.stored) == 1


async def test_a_purge_that_the_log_does_not_acknowledge_is_503_with_the_id_it_would_have():
    office = Office()
    desk = await office.desk()
    request = office.post(ONE)
    office.log.silent = True
    answer = declined(await desk.ask(request))
    assert (answer.reason, answer.status, answer.retry_after) == (Reason.LOG_UNAVAILABLE, 503, 5)
    office.log.silent = False
    assert ordered(await desk.ask(request)).id == answer.id, "the same bytes are the same order"


async def test_and_where_it_was_taken_after_all_the_same_bytes_are_told_so():
    office = Office()
    desk = await office.desk()
    request = office.post(ONE)
    office.log.deaf = True
    answer = declined(await desk.ask(request))
    again = declined(await desk.ask(request))
    assert (again.status, again.id, again.seq) == (409, answer.id, 1)


async def test_an_order_that_would_not_fit_into_the_log_is_413():
    office = Office()
    desk = await office.desk()
    long = "x" * 7_000
    said = {"urls": [f"https://shop.example/{number}/{long}" for number in range(100)]}
    assert declined(await desk.ask(office.post(said))).reason is Reason.ORDER_TOO_LARGE
    assert office.log.stored == []


async def test_things_are_counted_by_kind():
    office = Office()
    desk = await office.desk()
    await desk.ask(office.post({"urls": ["https://shop.example/a"], "hosts": ["blog.example"]}))
    cells = desk.desk.counted.items.cells
    assert {kind[0]: cell.value for kind, cell in cells.items()} == {"url": 1, "host": 1}


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "said", "path"),
    [
        (SHOPS, {"hosts": ["blog.example"]}, "/v1/purges"),
        (SHOPS, {"urls": ["https://shop.example/", "https://blog.example/"]}, "/v1/purges"),
        (SHOPS, {"tags": ["a"], "site": "blog"}, "/v1/purges"),
        (SHOPS, {"everything": True}, "/v1/purges"),
        (SHOPS, {"purge_everything": True}, "/zones/blog/purge_cache"),
        (SHOPS, None, "/service/blog/purge_all"),
        (TAGS, {"urls": ["https://shop.example/"]}, "/v1/purges"),
        (TAGS, {"sites": ["shop"]}, "/v1/purges"),
    ],
)
async def test_a_key_purges_what_is_in_its_scope_and_nothing_else(key, said: object, path: str):
    office = Office()
    desk = await office.desk()
    answer = declined(await desk.ask(office.post(said, path, key=key)))
    assert (answer.status, answer.word) == (403, "wrong-scope")
    assert office.log.stored == []
    assert desk.verdicts()["wrong-scope"] == 1


async def test_what_is_in_its_scope_is_taken():
    office = Office()
    desk = await office.desk()
    ordered(await desk.ask(office.post({"tags": ["a"]}, key=SHOPS)))
    ordered(await desk.ask(office.post(None, "/service/blog/purge/a", key=TAGS)))
    ordered(await desk.ask(office.post({"everything": True}, key=ALL)))
    assert [past.order.items[0] for past in office.log.stored][:2] == [Tag("shop", b"a"), Tag("blog", b"a")]


async def test_a_key_that_is_taken_away_is_refused_at_once():
    office = Office()
    desk = await office.desk()
    office.ring = KeyRing()
    answer = declined(await desk.ask(office.post(ONE)))
    assert (answer.reason, answer.word, answer.status) == (SignatureFault.UNKNOWN_KEY, "bad-signature", 401)


async def test_what_the_caller_is_not_told_is_logged_but_not_as_often_as_he_likes(
    caplog: pytest.LogCaptureFixture,
):
    office = Office()
    desk = await office.desk()
    office.ring = KeyRing()
    for _ in range(50):
        await desk.ask(office.post(ONE))
    (line,) = caplog.records
    assert (line.reason, line.key, line.detail) == ("unknown-key", "all", "no key has that id")  # type: ignore[attr-defined]
    office.clock.advance(1.0)
    await desk.ask(office.post(ONE))
    assert len(caplog.records) == 2


async def test_an_unsigned_purge_is_401():
    office = Office()
    desk = await office.desk()
    answer = declined(await desk.ask(posted(b'{"everything": true}')))
    assert (answer.status, answer.word) == (401, "no-signature")


# --- once ------------------------------------------------------------------------------------------------------------


async def test_the_same_request_again_is_409_on_the_same_node_and_on_another_that_has_read_the_log():
    office = Office()
    a, b = await office.desk(), await office.desk()
    request = office.post(ONE)
    first = ordered(await a.ask(request))
    office.deliver()
    for desk in (a, b):
        again = declined(await desk.ask(request))
        assert (again.status, again.word, again.id, again.seq) == (409, "replayed", first.id, 1)
        assert desk.verdicts()["replayed"] == 1
    assert len(office.log.stored) == 1


async def test_and_on_one_that_has_not_read_it_yet_the_log_itself_takes_it_once():
    office = Office()
    a, b = await office.desk(), await office.desk()
    request = office.post(ONE)
    first = ordered(await a.ask(request))
    again = declined(await b.ask(request))
    assert (again.status, again.word, again.id, again.seq) == (409, "replayed", first.id, 1)
    assert len(office.log.stored) == 1


async def test_a_node_that_starts_knows_the_nonces_of_before():
    office = Office()
    request = office.post(ONE)
    ordered(await (await office.desk()).ask(request))
    fresh = await office.desk()
    office.log.stored[0] = replace_id(office.log.stored[0], "elsewhere")  # the log would not know it any more
    assert declined(await fresh.ask(request)).word == "replayed"


async def test_a_node_that_has_not_recalled_them_takes_nothing():
    office = Office()
    desk = office.new_desk()
    answer = declined(await desk.ask(office.post(ONE)))
    assert (answer.reason, answer.status, answer.retry_after) == (Reason.NOT_CURRENT, 503, 5)
    assert office.log.stored == []


async def test_nor_can_it_recall_them_while_it_does_not_know_the_log():
    office = Office()
    desk = office.new_desk()
    desk.reading.history = ""
    with pytest.raises(LogUnavailable):
        await desk.desk.recall()
    assert declined(await desk.ask(office.post(ONE))).reason is Reason.NOT_CURRENT


async def test_nor_does_one_that_does_not_know_whether_it_has_read_all():
    office = Office()
    desk = await office.desk()
    desk.reading.current = False
    request = office.post(ONE)
    assert declined(await desk.ask(request)).reason is Reason.NOT_CURRENT
    desk.reading.current = True
    ordered(await desk.ask(request))


async def test_what_was_ordered_beyond_what_is_recalled_counts_as_replayed():
    office = Office()
    first = await office.desk()
    old = office.post(ONE)
    for _ in range(6):
        ordered(await first.ask(office.post(ONE)))
        office.clock.advance(40.0)
    fresh = office.new_desk()
    await fresh.desk.recall(most=2, page_size=1)
    assert declined(await fresh.ask(old)).word == "replayed"
    ordered(await fresh.ask(office.post(ONE)))


def replace_id(past: Past, order_id: str) -> Past:
    return Past(past.seq, past.stored_at, replace(past.order, id=order_id))


# --- rate ------------------------------------------------------------------------------------------------------------


async def test_a_site_is_purged_at_its_rate_and_then_429_until_there_is_room():
    office = Office()
    office.change(rate=1)
    desk = await office.desk()
    ordered(await desk.ask(office.post(urls(8))))
    answer = declined(await desk.ask(office.post(urls(5, 8))))
    assert (answer.reason, answer.status, answer.retry_after) == (Reason.TOO_FAST, 429, 3)
    ordered(await desk.ask(office.post({"hosts": ["blog.example"]})))
    office.clock.advance(3.0)
    ordered(await desk.ask(office.post(urls(5, 8))))


async def test_what_is_the_same_order_again_costs_nothing():
    office = Office()
    office.change(rate=1)
    desk = await office.desk()
    for _ in range(3):
        ordered(await desk.ask(office.post(urls(10), lines=(KEY,))))
        office.deliver()


# --- PURGE -----------------------------------------------------------------------------------------------------------


async def test_an_allowed_peer_needs_no_signature_and_may_not_purge_everything():
    office = Office()
    office.change(allow=(ip_network("10.0.0.0/8"),))
    desk = await office.desk()
    answer = ordered(await desk.ask_by_method(purged("https://shop.example/a"), "10.1.2.3"))
    assert answer.id == "r1"
    assert office.log.stored[0].order.by == "peer 10.1.2.3"
    caller = desk.desk.caller_by_method(purged("https://shop.example/a"), "10.1.2.3")
    assert not isinstance(caller, Declined)
    found = desk.desk.permits(PurgeRequest((Everything(),)), caller)
    assert found is not None and found.word == "wrong-scope"


async def test_a_peer_is_the_same_on_a_socket_of_both_families():
    office = Office()
    office.change(allow=(ip_network("10.0.0.0/8"),))
    desk = await office.desk()
    ordered(await desk.ask_by_method(purged("https://shop.example/a"), "::ffff:10.1.2.3"))


@pytest.mark.parametrize("peer", ["11.0.0.1", "::1"])
async def test_any_other_peer_signs(peer: str):
    office = Office()
    office.change(allow=(ip_network("10.0.0.0/8"),))
    desk = await office.desk()
    assert declined(await desk.ask_by_method(purged("https://shop.example/a"), peer)).word == "no-signature"
    ordered(await desk.ask_by_method(office.signed(purged("https://shop.example/a")), peer))


async def test_an_allowed_peer_that_signs_wrongly_is_refused():
    office = Office()
    office.change(allow=(ip_network("10.0.0.0/8"),))
    desk = await office.desk()
    lines: tuple[Line, ...] = ((b"Signature-Input", b"purge=()"), (b"Signature", b"purge=::"))
    request = purged("https://shop.example/a", *lines)
    assert declined(await desk.ask_by_method(request, "10.0.0.1")).status >= 400


# --- settings that change --------------------------------------------------------------------------------------------


async def test_a_signature_that_would_hold_longer_does_not_make_a_replay_possible():
    office = Office()
    desk = await office.desk()
    request = office.post(ONE)
    ordered(await desk.ask(request))
    office.clock.advance(400.0)
    assert declined(await desk.ask(request)).word == "too-old"
    ordered(await desk.ask(office.post(ONE)))  # it forgets what is too old
    office.change(max_age=3_600.0)
    office.log.stored.clear()
    assert declined(await desk.ask(request)).word == "replayed"
    ordered(await desk.ask(office.post(ONE)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.0, 1_000.0), max_size=12).map(sorted),
    st.floats(5.0, 900.0),
    st.floats(5.0, 900.0),
    st.floats(0.0, 60.0),
)
def test_no_nonce_is_lost_to_another_policy(created: list[float], before: float, after: float, skew: float):
    nonces = Nonces(before, skew)
    for number, at in enumerate(created):
        nonces.remember("key", str(number), at=at, now=at)
    now = max(created, default=0.0)
    held = renewed(nonces, Policy(before, skew), Policy(after, skew), now)
    for number, at in enumerate(created):
        if now - at <= after:
            assert held.seen("key", str(number), created=at)
    assert not held.seen("key", "fresh", created=now)


# --- looking back ----------------------------------------------------------------------------------------------------


async def test_any_node_finds_any_purge_also_one_that_it_never_read():
    office = Office()
    a, b = await office.desk(), await office.desk()
    answer = ordered(await a.ask(office.post(ONE)))
    found = await b.desk.find(answer.id)
    assert found is not None and (found.seq, found.order.by) == (1, "all")
    office.deliver()
    asked = office.log.asked
    assert await b.desk.find(answer.id) is not None
    assert office.log.asked == asked, "what was read is not asked for again"
    assert await b.desk.find("n0") is None


def test_an_id_depends_on_the_key_and_the_nonce_and_on_where_one_ends_and_the_other_begins():
    ids = {
        derived_id(kind, by, said)
        for kind in "in"
        for by, said in (("a", "bc"), ("ab", "c"), ("1:a", "b"), ("a", "1:b"))
    }
    assert len(ids) == 8
