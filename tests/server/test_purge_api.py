"""The purge API over real sockets: what it takes, what it tells, and what it refuses before it looks at it."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from edge.purge.signing.sign import sign
from edge.semantics.message import Authority, Fields, RequestHead
from edge.semantics.selectors import read_uri
from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.desks import ALL, SHOPS, purged, urls
from tests.kit.purge_apis import ApiNode, purge_api
from tests.kit.waiting import until

ONE = urls(1)


async def raw(node: ApiNode, said: bytes) -> Answer:
    """What bytes are answered."""
    port = int(node.private.rpartition(":")[2])
    async with await RawClient.connect("127.0.0.1", port) as client:
        await client.send(said)
        return await client.read_answer()


@pytest.fixture
async def node() -> AsyncIterator[ApiNode]:
    async with purge_api() as node:
        yield node


# --- purging ---------------------------------------------------------------------------------------------------------


async def test_a_purge_is_202_with_its_place_in_the_log_and_where_its_receipt_is(node: ApiNode):
    answer = await node.post(ONE)
    (past,) = node.office.log.stored
    assert answer.status == 202
    assert answer.said == {
        "id": past.order.id,
        "seq": 1,
        "history": "00000000000000aa",
        "accepted": 1,
        "repeated": False,
        "status_url": f"/v1/purges/{past.order.id}",
    }
    assert answer.fields["Location"] == answer.said["status_url"]
    assert node.counted() == {("ours", "ordered"): 1}


@pytest.mark.parametrize("where", ["private", "public"])
async def test_what_purges_is_signed_wherever_it_comes_in(node: ApiNode, where: str):
    base = getattr(node, where)
    assert (await node.post(ONE, base=base)).status == 202
    message = node.signed(ONE, base=base)
    unsigned = replace(message, fields=message.fields.without((b"signature", b"signature-input")))
    answer = await node.send(unsigned, base)
    assert (answer.status, answer.reason) == (401, "no-signature")
    assert 'tag="cdn-purge"' in answer.fields["Accept-Signature"]


@pytest.mark.parametrize(
    ("path", "said", "answer"),
    [
        ("/service/shop/purge/a", None, {"status": "ok", "id": "ID"}),
        ("/service/shop/purge", {"surrogate_keys": ["a", "b"]}, {"a": "ID", "b": "ID"}),
        ("/service/shop/purge_all", None, {"status": "ok", "id": "ID"}),
        ("/purge/shop.example/a%2fb?c=d", None, {"status": "ok", "id": "ID"}),
        ("/zones/shop/purge_cache", {"tags": ["a"]}, {"success": True, "errors": [], "messages": [], "result": {"id": "ID"}}),
        ("/client/v4/zones/shop/purge_cache", {"purge_everything": True}, {"success": True, "errors": [], "messages": [], "result": {"id": "ID"}}),
    ],
)  # fmt: skip
async def test_other_apis_clients_are_answered_as_they_are_used_to(
    node: ApiNode, path: str, said: object, answer: dict[str, object]
):
    told = await node.post(said, path)
    (past,) = node.office.log.stored
    assert (told.status, json.loads(json.dumps(told.said).replace(past.order.id, "ID"))) == (200, answer)


@pytest.mark.parametrize("where", ["private", "public"])
async def test_a_line_end_in_a_path_is_a_part_of_it(node: ApiNode, where: str):
    answer = await node.post(None, "/service/sh%0Aop/purge_all", base=getattr(node, where))
    assert (answer.status, answer.reason) == (404, "unknown-site")


async def test_the_path_is_taken_as_it_was_sent(node: ApiNode):
    await node.post(None, "/purge/shop.example/a%2fb?c=%3d")
    assert node.office.log.stored[0].order.items == (read_uri("http://shop.example/a%2fb?c=%3d"),)


async def test_purge_is_answered_by_the_same_desk(node: ApiNode):
    node.office.change(allow=(ip_network("10.0.0.0/8"),))
    authority = Authority(b"https", b"shop.example", 443)
    head = RequestHead(b"PURGE", authority, b"/a", Fields())
    taken = await node.api.purge_by_method(head, "10.0.0.1")
    assert (taken.status, json.loads(taken.body)) == (200, {"status": "ok", "id": "r1"})
    refused = await node.api.purge_by_method(head, "11.0.0.1")
    assert (refused.status, json.loads(refused.body)["reason"]) == (401, "no-signature")
    signed = node.office.signed(purged("https://shop.example/a"))
    again = await node.api.purge_by_method(replace(head, fields=signed.fields), "11.0.0.1")
    assert again.status == 200
    assert node.counted() == {("method", "ordered"): 2, ("method", "no-signature"): 1}


async def test_without_the_log_it_is_503_with_an_id_and_a_time_to_come_back(node: ApiNode):
    node.office.log.silent = True
    answer = await node.post(ONE)
    assert (answer.status, answer.reason, answer.fields["Retry-After"]) == (503, "log-unavailable", "5")
    node.office.log.silent = False
    assert answer.said["id"]
    assert (await node.get(answer.said["status_url"])).reason == "no-such-purge"


# --- waiting ---------------------------------------------------------------------------------------------------------


async def test_who_waits_is_answered_when_the_last_live_node_has_applied_it(node: ApiNode):
    for name in ("fra-1", "sgp-1"):
        node.fleet.hear(name, 0, region=name[:3])
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(node.post(ONE, "/v1/purges?wait=global&timeout=10s"))
        await node.fleet.is_waited_for()
        node.office.clock.advance(0.25)
        node.fleet.hear("fra-1", 1, region="fra")
        node.office.clock.advance(0.25)
        node.fleet.hear("sgp-1", 1, region="sgp")
    answer = asked.result()
    receipt = answer.said["receipt"]
    assert (answer.status, receipt["done"], receipt["pending"], receipt["away"]) == (200, True, [], [])
    assert receipt["applied"] == [
        {"node": "fra-1", "region": "fra", "after": 0.25},
        {"node": "sgp-1", "region": "sgp", "after": 0.5},
    ]
    assert receipt["seconds"] == {"p50": 0.25, "p99": 0.5}
    assert receipt["regions"] == [
        {"region": "fra", "applied": 1, "pending": 0, "away": 0},
        {"region": "sgp", "applied": 1, "pending": 0, "away": 0},
    ]


async def test_who_has_not_is_named_when_the_time_is_over(node: ApiNode):
    node.fleet.hear("fra-1", 1)
    node.fleet.hear("fra-2", 0)
    answer = await node.post(ONE, "/v1/purges?wait=global&timeout=0s")
    assert (answer.status, answer.said["receipt"]["done"]) == (202, False)
    assert [missing["node"] for missing in answer.said["receipt"]["pending"]] == ["fra-2"]


async def test_a_node_that_is_silent_is_named_as_away_and_never_counted_as_done(node: ApiNode):
    node.fleet.hear("fra-2", 0)
    node.office.clock.advance(60.0)
    node.fleet.hear("fra-1", 1)
    answer = await node.post(ONE, "/v1/purges?wait=global&timeout=0s")
    receipt = answer.said["receipt"]
    assert (answer.status, receipt["done"]) == (200, True)
    assert [away["node"] for away in receipt["away"]] == ["fra-2"]
    assert receipt["away"][0]["silent"] == 60.0
    assert receipt["regions"] == [{"region": "eu", "applied": 1, "pending": 0, "away": 1}]


async def test_nobody_is_waited_for_who_is_elsewhere(node: ApiNode):
    node.office.settings = replace(node.office.settings, region="fra")
    node.fleet.hear("fra-1", 1, region="fra")
    node.fleet.hear("sgp-1", 0, region="sgp")
    assert (await node.post(ONE, "/v1/purges?wait=region&timeout=0s")).status == 200
    assert (await node.post(ONE, "/v1/purges?wait=global&timeout=0s")).status == 202


async def test_nothing_is_done_while_nobody_can_know_who_is_there(node: ApiNode):
    node.fleet.hear("fra-1", 1)
    node.fleet.surveyed = False
    answer = await node.post(ONE, "/v1/purges?wait=global&timeout=0s")
    assert (answer.status, answer.said["receipt"]["surveyed"]) == (202, False)


# --- dry runs --------------------------------------------------------------------------------------------------------


async def test_a_dry_run_orders_nothing_and_tells_what_each_node_would_lose(node: ApiNode):
    node.fleet.answers = {
        "fra-1": {"objects": 3, "bytes": 3_000, "hot_objects": 2, "complete": True},
        "sgp-1": {"objects": 1, "bytes": 500, "hot_objects": 1, "complete": False},
        "odd-1": {"objects": "many"},
    }
    for name in (*node.fleet.answers, "mute-1"):
        node.fleet.hear(name, 0)
    answer = await node.post(ONE, "/v1/purges?dry_run=1")
    assert answer.status == 200
    assert answer.said == {
        "dry_run": True,
        "accepted": 1,
        "soft": False,
        "total": {"objects": 4, "bytes": 3_500, "hot_objects": 3, "complete": False},
        "nodes": [
            {"node": "fra-1", "objects": 3, "bytes": 3_000, "hot_objects": 2, "complete": True},
            {"node": "sgp-1", "objects": 1, "bytes": 500, "hot_objects": 1, "complete": False},
        ],
        "silent": ["mute-1", "odd-1"],
    }
    assert node.office.log.stored == []
    assert node.counted() == {("ours", "dry-run"): 1}


async def test_a_dry_run_of_what_one_may_not_purge_is_403(node: ApiNode):
    answer = await node.post({"hosts": ["blog.example"]}, "/v1/purges?dry_run=1", key=SHOPS)
    assert (answer.status, answer.reason) == (403, "wrong-scope")
    assert node.fleet.asked == []


async def test_a_dry_run_of_what_no_order_could_hold_is_413_like_the_purge(node: ApiNode):
    long = {"urls": [f"http://shop.example/{'x' * 700}{number}" for number in range(900)]}
    for target in ("/v1/purges?dry_run=1", "/v1/purges"):
        answer = await node.post(long, target)
        assert (answer.status, answer.reason) == (413, "order-too-large")


async def test_a_dry_run_without_the_bus_is_503(node: ApiNode):
    node.fleet.lost = True
    assert (await node.post(ONE, "/v1/purges?dry_run=1")).reason == "log-unavailable"


# --- refusing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "reason", "allow"),
    [
        ("GET", "/v1/else", 404, "no-such-path", None),
        ("PUT", "/v1/purges", 405, "wrong-method", "GET, HEAD, POST"),
        ("POST", "/v1/nodes", 405, "wrong-method", "GET, HEAD"),
        ("GET", "/zones/shop/purge_cache", 405, "wrong-method", "POST"),
        ("GET", "/v1/purges?limit=0", 400, "bad-query", None),
    ],
)
async def test_an_odd_request_line_is_refused_in_the_same_form(
    node: ApiNode, method: str, path: str, status: int, reason: str, allow: str | None
):
    answer = await node.send(node.signed(None, path, method=method))
    assert (answer.status, answer.reason) == (status, reason)
    if status == 405:
        assert answer.fields["Allow"] == allow


async def test_on_its_own_address_every_path_is_answered_in_the_same_form(node: ApiNode):
    assert (await node.get("/", base=node.public)).reason == "no-such-path"


async def test_head_is_get_without_a_body(node: ApiNode):
    answer = await node.send(node.signed(None, "/v1/purges", method="HEAD"))
    assert (answer.status, answer.said) == (200, {})
    assert int(answer.fields["Content-Length"]) > 0


async def test_a_body_that_is_declared_too_large_is_not_read(node: ApiNode):
    node.office.change(max_body=1_024)
    answer = await raw(node, b"POST /v1/purges HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n")
    assert (answer.status, json.loads(answer.body)["reason"]) == (413, "body-too-large")


async def test_a_body_without_a_length_is_read_to_its_bound(node: ApiNode):
    node.office.change(max_body=1_024)
    head = b"POST /v1/purges HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await raw(node, head + b"401\r\n" + b"x" * 1_025 + b"\r\n")
    assert (answer.status, json.loads(answer.body)["reason"]) == (413, "body-too-large")


async def test_a_body_at_the_bound_is_taken(node: ApiNode):
    body = json.dumps(ONE).encode()
    node.office.change(max_body=len(body))
    assert (await node.post(body)).status == 202
    assert (await node.post(body + b" ")).reason == "body-too-large"


async def test_a_body_that_does_not_come_is_408():
    async with purge_api(body_seconds=0.05) as node:
        answer = await raw(node, b"POST /v1/purges HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
        assert (answer.status, json.loads(answer.body)["reason"]) == (408, "body-too-slow")


async def test_bodies_together_have_a_bound_and_what_is_done_counts_no_more():
    async with purge_api(max_held=300) as node:
        for number in range(5):
            assert (await node.post(urls(5, number))).status == 202  # 180 bytes each
        head = b"POST /v1/purges HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n"
        async with await RawClient.connect("127.0.0.1", int(node.private.rpartition(":")[2])) as slow:
            await slow.send(head + b"x" * 190)
            await until(lambda: is_held(node, 190))
            answer = await node.post(urls(5))
            assert (answer.status, answer.reason) == (503, "too-busy")
            await slow.send(b"x" * 10)
            assert (await slow.read_answer()).status == 401
        assert (await node.post(urls(5, 9))).status == 202
        assert node.api.held == 0


async def is_held(node: ApiNode, size: int) -> bool:
    return node.api.held == size


@pytest.mark.parametrize("where", ["private", "public"])
async def test_a_coded_body_is_refused_and_never_unpacked(node: ApiNode, where: str):
    bomb = gzip.compress(b" " * 5_000_000)
    message = node.signed(bomb, lines=((b"Content-Encoding", b"gzip"),), base=getattr(node, where))
    answer = await node.send(message, getattr(node, where))
    assert (answer.status, answer.reason) == (415, "content-encoding")


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a b\r\n"])
async def test_one_host_that_can_be_read_is_needed(node: ApiNode, hosts: bytes):
    answer = await raw(node, b"GET /v1/nodes HTTP/1.1\r\n" + hosts + b"\r\n")
    assert answer.status == 400


async def test_what_is_no_http_is_400_and_leaves_nothing_in_the_log(
    node: ApiNode, caplog: pytest.LogCaptureFixture
):
    answer = await raw(node, b"POST /v1/purges HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
    assert answer.status == 400
    assert caplog.text == ""


async def test_a_fault_of_ours_is_500_and_says_nothing_of_itself(
    node: ApiNode, caplog: pytest.LogCaptureFixture
):
    node.fleet.answers = {"a": {}}
    node.office.log.stored.append(None)  # type: ignore[arg-type]  # what there never is
    answer = await node.post(ONE)
    assert (answer.status, answer.reason) == (500, "failed")
    assert "a purge request failed" in caplog.text
    node.office.log.stored.clear()
    assert (await node.post(ONE)).status == 202


# --- behind a proxy --------------------------------------------------------------------------------------------------


async def test_the_scheme_is_what_the_client_spoke_where_a_proxy_of_ours_says_so(node: ApiNode):
    message = node.signed(ONE)
    https = replace(message.authority, scheme=b"https")
    plain = Fields([(b"Content-Type", b"application/json")])
    unsigned = replace(message, authority=https, fields=plain)
    lines = sign(unsigned, ALL, now=node.office.clock.now(), nonce="behind-a-proxy")
    signed = replace(unsigned, fields=plain.with_added(*lines, (b"X-Forwarded-Proto", b"https")))
    assert (await node.send(signed)).reason == "bad-signature"
    trusted = replace(node.office.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    node.office.settings = trusted
    assert (await node.send(signed)).status == 202


# --- a client of another make ----------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_curl_purges_with_the_lines_that_are_signed_for_it(node: ApiNode):
    message = node.signed(ONE)
    fields = [f"-H{name.decode()}: {value.decode()}" for name, value in message.fields]
    curl = await asyncio.create_subprocess_exec(
        "curl",
        "-sS",
        "--data-binary",
        message.body.decode(),
        *fields,
        node.private + "/v1/purges",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(curl.communicate(), 10)
    assert json.loads(said)["seq"] == 1
