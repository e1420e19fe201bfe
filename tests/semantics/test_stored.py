"""The arithmetic of a stored response."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.message import UnixSeconds
from edge.semantics.stored import Validators
from tests.kit.stored_responses import FRESH, NOW, holding


@pytest.mark.parametrize(
    ("initial", "later", "age"), [(0.0, 0.0, 0.0), (5.0, 0.0, 5.0), (5.0, 10.5, 15.5), (5.0, -100.0, 0.0)]
)
def test_age_is_what_it_had_plus_the_time_here_and_never_negative(initial, later, age):
    freshness = replace(FRESH, initial_age=initial)
    assert freshness.age(UnixSeconds(NOW + later)) == age


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 3000))
def test_fresh_until_is_where_age_reaches_the_lifetime(initial, lifetime, later):
    freshness = replace(FRESH, initial_age=float(initial), lifetime=float(lifetime))
    now = UnixSeconds(NOW + later)
    assert (freshness.age(now) < lifetime) is (now < freshness.fresh_until)


def test_validators_are_usable_when_there_is_one():
    assert not Validators().usable
    assert Validators(etag=b'"a"').usable
    assert Validators(last_modified=b"x").usable


def test_stored_responses_are_themselves_only():
    one, other = holding(), holding()
    assert one == one  # noqa: PLR0124
    assert one != other
