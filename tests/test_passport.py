"""A node is known by what it shows, and by nothing that anybody else could have made of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.passport import LIFE_SECONDS, PASSPORT, check, issue
from edge.semantics.message import Fields, UnixSeconds

NOW = UnixSeconds(1_795_502_400.0)
SECRET, OLD, OTHER = b"s" * 32, b"o" * 32, b"x" * 32


FIELDS = Fields(
    ((b"Accept", b"*/*"), (b"Perigee-Hops", b"192.0.2.1"), (b"Perigee-Need", b"00000000000000aa:7"))
)
ASKED: dict[str, Any] = {"method": b"GET", "authority": b"a.example", "target": b"/a", "fields": FIELDS}
SHOWN = issue(b"fra-1", NOW, SECRET, **ASKED)


def test_a_node_of_ours_is_known_by_name():
    assert check(SHOWN, NOW, [SECRET], **ASKED) == b"fra-1"
    with_it = FIELDS.with_added((PASSPORT, SHOWN))
    assert check(SHOWN, NOW, [SECRET], **{**ASKED, "fields": with_it}) == b"fra-1"


def test_secrets_are_changed_one_node_after_the_other():
    by_old = issue(b"fra-1", NOW, OLD, **ASKED)
    assert check(by_old, NOW, [SECRET, OLD], **ASKED) == b"fra-1"
    assert check(by_old, NOW, [SECRET], **ASKED) == "forged passport"
    assert check(SHOWN, NOW, [], **ASKED) == "forged passport"


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(LIFE_SECONDS, True), (-LIFE_SECONDS, True), (LIFE_SECONDS + 1, False), (-LIFE_SECONDS - 1, False)],
)
def test_a_passport_is_good_for_half_a_minute_either_way(seconds: float, good: bool):
    assert (check(SHOWN, UnixSeconds(NOW + seconds), [SECRET], **ASKED) == b"fra-1") is good


@pytest.mark.parametrize(
    "change",
    [
        {"method": b"HEAD"},
        {"authority": b"b.example"},
        {"target": b"/b"},
        {"fields": Fields(((b"Perigee-Hops", b"192.0.2.2"), (b"Perigee-Need", b"00000000000000aa:7")))},
        {"fields": Fields(((b"Perigee-Hops", b"192.0.2.1"),))},
        {"fields": FIELDS.with_added((b"Perigee-Authority", b"http b 80"))},
    ],
)
def test_for_another_request_it_is_forged(change: dict[str, Any]):
    assert check(SHOWN, NOW, [SECRET], **{**ASKED, **change}) == "forged passport"


def test_fields_that_are_not_ours_may_change_on_the_way():
    fields = FIELDS.with_added((b"Via", b"1.1 tunnel"))
    assert check(SHOWN, NOW, [SECRET], **{**ASKED, "fields": fields}) == b"fra-1"


@given(st.binary(max_size=200))
def test_nobody_is_known_by_chance(value: bytes):
    assert isinstance(check(value, NOW, [OTHER], **ASKED), str)
    assert isinstance(check(None, NOW, [OTHER], **ASKED), str)


@given(st.integers(0, len(SHOWN) * 8 - 1))
def test_every_flipped_bit_is_noticed(bit: int):
    changed = bytearray(SHOWN)
    changed[bit // 8] ^= 1 << bit % 8
    assert isinstance(check(bytes(changed), NOW, [SECRET], **ASKED), str)
