"""What is remembered of the requests of one client is told of no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.exchange import Exchange
from edge.semantics.message import Authority
from edge.semantics.rules import HeaderEdit, HeaderRules, SiteRules
from tests.kit.node_bench import exchange
from tests.test_tiers import KEY, PARTS, RULES, built, tiers


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
