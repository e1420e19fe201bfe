"""Rates: what a network may have, what becomes of the rest, and what is remembered."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.dns.rrl import ResponseRates, Verdict
from edge.settings.dns import RateSettings

SETTINGS = RateSettings(responses=10, errors=2, window=3.0, slip=2, networks=1000)


def packed(text: str) -> bytes:
    return ip_address(text).packed


ONE = packed("192.0.2.1")


def rates(settings: RateSettings = SETTINGS, exempt: bytes = b"") -> ResponseRates:
    return ResponseRates(settings, lambda source: source == exempt)


def sent(rates: ResponseRates, count: int, now: float, *, source: bytes = ONE, is_error: bool = False) -> int:
    verdicts = [rates.verdict(source, now, is_error=is_error) for _ in range(count)]
    return verdicts.count(Verdict.SEND)


def test_what_was_saved_up_goes_out_at_once_and_then_the_rate():
    limit = rates()
    assert sent(limit, 100, 0.0) == 30
    assert sent(limit, 100, 1.0) == 10
    assert sent(limit, 100, 1.0) == 0
    assert sent(limit, 100, 100.0) == 30


def test_errors_have_a_rate_of_their_own():
    limit = rates()
    assert sent(limit, 100, 0.0, is_error=True) == 6
    assert sent(limit, 100, 0.0) == 30


def test_every_second_one_over_the_limit_slips():
    limit = rates()
    sent(limit, 30, 0.0)
    assert [limit.verdict(ONE, 0.0, is_error=False) for _ in range(4)] == [
        Verdict.DROP, Verdict.SLIP, Verdict.DROP, Verdict.SLIP,
    ]  # fmt: skip


@pytest.mark.parametrize(("slip", "slips"), [(0, 0), (1, 10), (5, 2)])
def test_slip_says_how_many(slip: int, slips: int):
    limit = rates(RateSettings(responses=1, window=1.0, slip=slip))
    sent(limit, 1, 0.0)
    assert [limit.verdict(ONE, 0.0, is_error=False) for _ in range(10)].count(Verdict.SLIP) == slips


NETWORKS = [
    ("192.0.2.1", "192.0.2.254", True),
    ("192.0.2.1", "192.0.3.1", False),
    ("2001:db8::1", "2001:db8:0:ff::1", True),
    ("2001:db8::1", "2001:db8:0:100::1", False),
]


@pytest.mark.parametrize(("one", "other", "same"), NETWORKS)
def test_a_network_shares_its_rate(one: str, other: str, same: bool):
    limit = rates()
    sent(limit, 30, 0.0, source=packed(one))
    assert sent(limit, 1, 0.0, source=packed(other)) == (0 if same else 1)


def test_a_prefix_may_end_within_an_octet():
    limit = rates(RateSettings(prefix_v4=20))
    assert limit.network_of(packed("10.1.31.9")) == limit.network_of(packed("10.1.16.1"))
    assert limit.network_of(packed("10.1.31.9")) != limit.network_of(packed("10.1.32.1"))


def test_some_are_never_limited():
    assert sent(rates(exempt=ONE), 100, 0.0) == 100


def test_off_is_off():
    limit = rates(RateSettings(responses=None, errors=None))
    assert sent(limit, 10_000, 0.0) == 10_000
    assert not limit.answers


def test_networks_are_bounded_and_those_at_rest_give_way():
    uncounted: list[None] = []
    limit = ResponseRates(SETTINGS, lambda _: False, lambda: uncounted.append(None))
    for each in range(1000):
        limit.verdict(bytes((10, each >> 8, each & 255, 1)), 10.0, is_error=False)
    assert sent(limit, 40, 10.0) == 40  # no room: not counted
    assert (len(limit.answers), len(uncounted)) == (1000, 40)
    assert sent(limit, 40, 12.0) == 30
    assert len(limit.answers) == 1


@given(st.lists(st.floats(0, 1), max_size=200))
def test_no_schedule_gets_more_than_the_rate_and_what_was_saved(pauses: list[float]):
    limit, now, count = rates(), 0.0, 0
    for pause in pauses:
        now += pause
        count += sent(limit, 5, now)
    assert count <= 30 + 10 * now + 1
