"""What is remembered of the requests of one client is told of no other, and what cannot come again is not remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.exchange import Exchange
from edge.semantics.forwarding import cleaned_request
from edge.semantics.message import Authority, Line
from edge.semantics.rules import CookieRule, HeaderEdit, HeaderRules, SiteRules, StoreRules
from edge.wire.render import _sections
from tests.kit.node_bench import exchange
from tests.kit.stored_responses import holding
from tests.test_tiers import AS_WORKER, KEY, PARTS, RULES, built, tiers


def test_what_is_remembered_of_one_request_is_told_of_no_other():
    """Equal field sections are one object to the parser; all else that a request is made of may differ."""
    edits = SiteRules(headers=HeaderRules(to_origin=HeaderEdit(add=((b"X-Edge", b"yes"),))))
    asked = exchange(b"GET", b"/a", (b"Accept", b"*/*"), PARTS[0])
    head = asked.request.head

    def alike(**changes: Any) -> Exchange:
        return replace(asked, request=replace(asked.request, head=replace(head, **changes)))

    others = (
        asked,
        alike(minor=0),
        alike(authority=Authority(b"http", b"b.example", 80)),
        alike(method=b"HEAD"),
        alike(target=b"/b"),
        replace(asked, peer="192.0.2.77"),
    )
    at_once = tiers()
    for _ in range(2):
        for other in others:
            for rules in (RULES, edits):
                assert other.request.head.fields is head.fields
                assert built(at_once, other, rules) == built(tiers(), other, rules)
                (passed_on,) = at_once.straight(other, other.request.head, rules, KEY)
                (anew,) = tiers().straight(other, other.request.head, rules, KEY)
                assert passed_on.build(()) == anew.build(())


@pytest.mark.parametrize(
    ("asked", "validators", "comes_again"),
    [
        pytest.param(exchange(b"GET", b"/a", (b"Accept", b"*/*")), (), True, id="as the parser gave it"),
        pytest.param(exchange(b"GET", b"/a", AS_WORKER, tier=True), (), False, id="of a tier"),
        pytest.param(exchange(b"GET", b"/a", (b"Cookie", b"a=1; b=2")), (), False, id="cleaned"),
        pytest.param(exchange(b"GET", b"/a"), ((b"ETag", b'"v1"'),), False, id="with our conditionals"),
    ],
)
def test_only_what_can_come_again_is_remembered(
    asked: Exchange, validators: tuple[Line, ...], *, comes_again: bool
):
    rules = SiteRules(store=StoreRules(cookie=CookieRule.STRIP))
    made = tiers()
    head = cleaned_request(made.restored(asked), rules)
    validating = (holding(*validators),) if validators else ()
    for _ in range(2):
        (route,) = made.routes(asked, head, rules, KEY)
        fields = route.build(validating).fields
        assert (_sections.get(fields) is not None) is comes_again
    assert len(made._known) == comes_again
