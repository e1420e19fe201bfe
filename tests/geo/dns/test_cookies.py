"""Server cookies, by the test vectors of RFC 9018 and of SipHash's authors."""

from ipaddress import ip_address

import pytest

from edge.geo.dns.cookies import Cookies, siphash

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
OTHER = bytes(16)
CLIENT = bytes.fromhex("2464c4abcf10c957")
ADDRESS = ip_address("198.51.100.100").packed
MADE = 1559731985
COOKIE = CLIENT + bytes.fromhex("010000005cf79f111f8130c3eee29480")


def test_siphash_is_that_of_its_authors():
    assert siphash(bytes(range(16)), bytes(range(15))).hex() == "e545be4961ca29a1"


def test_a_new_cookie_is_that_of_rfc_9018_a_1():
    checked = Cookies([SECRET]).check(CLIENT, ADDRESS, MADE)
    assert not checked.is_ours
    assert checked.option == b"\0\x0a\0\x18" + COOKIE


@pytest.mark.parametrize(
    ("name", "seconds", "is_ours", "is_renewed"),
    [
        ("at once", 0, True, False),
        ("within half an hour", 1800, True, False),
        ("later it is renewed", 1801, True, True),
        ("within the hour", 3600, True, True),
        ("after it", 3601, False, True),
        ("from a clock that is ahead", -300, True, False),
        ("from the future", -301, False, True),
    ],
)
def test_a_cookie_is_good_for_an_hour(name: str, seconds: int, is_ours: bool, is_renewed: bool):
    checked = Cookies([SECRET]).check(COOKIE, ADDRESS, MADE + seconds)
    assert (checked.is_ours, checked.option[4:] != COOKIE) == (is_ours, is_renewed)


def test_another_address_has_another_cookie():
    assert not Cookies([SECRET]).check(COOKIE, ip_address("198.51.100.101").packed, MADE).is_ours
    assert not Cookies([SECRET]).check(COOKIE, ip_address("2001:db8::1").packed, MADE).is_ours


@pytest.mark.parametrize(
    "cookie",
    [COOKIE[:-1] + b"\0", b"x" + COOKIE[1:], COOKIE + b"\0", COOKIE[:16], COOKIE[:8] + b"\2" + COOKIE[9:]],
)
def test_what_was_changed_is_not_ours(cookie: bytes):
    checked = Cookies([SECRET]).check(cookie, ADDRESS, MADE)
    assert not checked.is_ours
    assert checked.option[4:12] == cookie[:8]


def test_while_the_secret_is_replaced_both_are_accepted_and_the_first_makes():
    cookies = Cookies([OTHER, SECRET])
    assert cookies.check(COOKIE, ADDRESS, MADE).is_ours
    made = cookies.check(CLIENT, ADDRESS, MADE).option[4:]
    assert made != COOKIE
    assert not Cookies([SECRET]).check(made, ADDRESS, MADE).is_ours
    assert Cookies([SECRET, OTHER]).check(made, ADDRESS, MADE).is_ours


def test_times_are_serial_numbers_so_that_2106_changes_nothing():
    end = 2**32 - 10
    made = Cookies([SECRET]).check(CLIENT, ADDRESS, end).option[4:]
    assert Cookies([SECRET]).check(made, ADDRESS, end + 20).is_ours


def test_without_a_secret_there_are_no_cookies():
    with pytest.raises(AssertionError):
        Cookies([])
