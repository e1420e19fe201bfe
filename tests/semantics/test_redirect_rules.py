"""Hosts that clients are sent to, and what is taken off them again."""

from __future__ import annotations

import pytest

from edge.semantics.redirect_rules import filled, mark


@pytest.mark.parametrize(
    ("template", "name", "expected", "taken_off"),
    [
        (b"{pop}.{host}", "fra", b"fra.www.example.org", b"fra."),
        (b"edge-{pop}.{host}", "FRA", b"edge-fra.www.example.org", b"edge-fra."),
        (b"{pop}.cdn.example.net", "fra", b"fra.cdn.example.net", None),
        (b"{node}.{host}", "fra-1", b"fra-1.www.example.org", b"fra-1."),
    ],
)
def test_a_template_makes_a_host(template: bytes, name: str, expected: bytes, taken_off: bytes | None):
    assert filled(template, name, b"www.example.org") == expected
    assert mark(template, name) == taken_off
