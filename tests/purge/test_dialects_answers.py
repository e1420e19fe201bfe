"""Each caller finds what the API answers that he was written for; an error tells all where it is."""

from __future__ import annotations

import json

import pytest

from edge.purge.declined import Reason, declined, refused
from edge.purge.desk_recent import Ordered
from edge.purge.dialects_answers import SIGNATURE_NEEDED, accepted, order_said, problem, told
from edge.purge.dialects_routes import Purge, Shape
from edge.purge.signing.faults import Refused, SignatureFault
from edge.semantics.message import Fields, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import Selector, Tag, read_uri
from edge.semantics.structured import parse_members

ORDERED = Ordered("n1f", 77, "00000000000000aa", 5.0, 2)
TAGS = (Tag("shop", b"a"), Tag("shop", b"\xe9"))

ANSWERS: list[tuple[Shape, int, dict[str, object]]] = [
    (
        Shape.OURS,
        202,
        {
            "id": "n1f",
            "seq": 77,
            "history": "00000000000000aa",
            "accepted": 2,
            "repeated": False,
            "status_url": "/v1/purges/n1f",
        },
    ),
    (Shape.FASTLY_KEY, 200, {"status": "ok", "id": "n1f"}),
    (Shape.FASTLY_ALL, 200, {"status": "ok", "id": "n1f"}),
    (Shape.FASTLY_URL, 200, {"status": "ok", "id": "n1f"}),
    (Shape.METHOD, 200, {"status": "ok", "id": "n1f"}),
    (Shape.FASTLY_KEYS, 200, {"a": "n1f", "\\xe9": "n1f"}),
    (Shape.CLOUDFLARE, 200, {"success": True, "errors": [], "messages": [], "result": {"id": "n1f"}}),
]


@pytest.mark.parametrize(("shape", "status", "said"), ANSWERS)
def test_each_shape_has_the_answer_that_its_clients_look_for(
    shape: Shape, status: int, said: dict[str, object]
):
    answer = accepted(Purge(shape), TAGS, ORDERED)
    assert (answer.status, json.loads(answer.body), answer.outcome) == (status, said, "ordered")
    assert Fields(answer.fields).get(b"content-type") == b"application/json"
    assert Fields(answer.fields).get(b"cache-control") == b"no-store"


def test_a_purge_says_where_its_receipt_is():
    answer = accepted(Purge(Shape.OURS), TAGS, ORDERED)
    assert Fields(answer.fields).get(b"location") == b"/v1/purges/n1f"


WHY = declined(Reason.TOO_FAST, "too fast", "/urls/3", retry_after=7, id="n1f", seq=5)
OURS = {
    "title": "Too Many Requests",
    "status": 429,
    "reason": "too-fast",
    "detail": "too fast",
    "instead": WHY.instead,
    "where": "/urls/3",
    "id": "n1f",
    "status_url": "/v1/purges/n1f",
    "seq": 5,
}


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        (None, {}),
        (Shape.OURS, {}),
        (Shape.METHOD, {}),
        (Shape.FASTLY_URL, {"msg": "too fast"}),
        (
            Shape.CLOUDFLARE,
            {
                "success": False,
                "errors": [{"code": 429, "message": "too-fast: too fast"}],
                "messages": [],
                "result": None,
            },
        ),
    ],
)
def test_an_error_is_a_problem_in_all_shapes_and_has_what_each_looks_for(
    shape: Shape | None, more: dict[str, object]
):
    answer = problem(WHY, shape)
    assert (answer.status, json.loads(answer.body), answer.outcome) == (429, OURS | more, "too-fast")
    fields = Fields(answer.fields)
    assert fields.get(b"content-type") == b"application/problem+json"
    assert fields.get(b"retry-after") == b"7"


def test_what_is_not_known_is_not_said():
    assert set(json.loads(problem(declined(Reason.NOT_JSON, "x")).body)) == {
        "title",
        "status",
        "reason",
        "detail",
        "instead",
    }


def test_who_did_not_sign_is_told_how():
    answer = problem(refused(Refused(SignatureFault.NO_SIGNATURE, "the request is not signed")))
    asked = Fields(answer.fields).get(b"accept-signature")
    assert asked is not None and [label for label, _ in parse_members(asked)] == ["purge"]
    assert SIGNATURE_NEEDED not in problem(declined(Reason.NOT_JSON, "x")).fields


def test_an_order_is_told_with_as_many_things_as_are_asked_for():
    items: tuple[Selector, ...] = (read_uri("https://shop.example/a"), *TAGS)
    order = PurgeOrder("n1f", UnixSeconds(5.0), items, soft=True, by="deploy", nonce="secret-nonce", note="x")
    assert order_said(order, 77, most=2) == {
        "id": "n1f",
        "seq": 77,
        "at": 5.0,
        "by": "deploy",
        "soft": True,
        "note": "x",
        "accepted": 3,
        "items": [{"url": "https://shop.example/a"}, {"site": "shop", "tag": "a"}],
        "status_url": "/v1/purges/n1f",
    }
    assert b"secret-nonce" not in told(order_said(order, 77, most=9)).body
