"""What follows from a site's wishes: HSTS, where plain HTTP is sent, which connections are good for a site."""

from __future__ import annotations

import pytest

from edge.semantics.message import Authority
from edge.semantics.tls_rules import (
    ClientAuth,
    ClientPolicy,
    HttpsRedirect,
    TlsRules,
    client_cert_value,
    hsts_line,
    https_location,
    is_challenge,
    is_good_for,
    redirect_status,
)

HTTP, HTTPS = Authority(b"http", b"a.test", 80), Authority(b"https", b"a.test", 443)
SENT = TlsRules(redirect=HttpsRedirect.PERMANENT)
NAME = b"Strict-Transport-Security"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (TlsRules(), None),
        (TlsRules(hsts=0.0), b"max-age=0"),
        (TlsRules(hsts=3600.5), b"max-age=3600"),
        (TlsRules(hsts=1.0, hsts_subdomains=True), b"max-age=1; includeSubDomains"),
        (
            TlsRules(hsts=1.0, hsts_subdomains=True, hsts_preload=True),
            b"max-age=1; includeSubDomains; preload",
        ),
    ],
)
def test_hsts_is_said_over_https_only(rules: TlsRules, said: bytes | None):
    assert hsts_line(rules, HTTPS) == (None if said is None else (NAME, said))
    assert hsts_line(rules, HTTP) is None


@pytest.mark.parametrize(
    ("rules", "authority", "target", "location"),
    [
        (TlsRules(), HTTP, b"/a", None),
        (SENT, HTTPS, b"/a", None),
        (SENT, HTTP, b"/a?b=c&d", b"https://a.test/a?b=c&d"),
        (SENT, Authority(b"http", b"a.test", 8080), b"/", b"https://a.test/"),
        (SENT, Authority(b"http", b"[2001:db8::1]", 80), b"/", b"https://[2001:db8::1]/"),
        (TlsRules(redirect=HttpsRedirect.MOVED, redirect_port=8443), HTTP, b"/", b"https://a.test:8443/"),
        (SENT, HTTP, b"*", None),
        (SENT, HTTP, b"/.well-known/acme-challenge/a_B-9", None),
        (SENT, HTTP, b"/.well-known/acme-challenge/", b"https://a.test/.well-known/acme-challenge/"),
        (SENT, HTTP, b"/.well-known/acme-challenge/../x", b"https://a.test/.well-known/acme-challenge/../x"),
    ],
)
def test_where_plain_http_is_sent(
    rules: TlsRules, authority: Authority, target: bytes, location: bytes | None
):
    assert https_location(rules, authority, target) == location


@pytest.mark.parametrize(
    ("redirect", "method", "status"),
    [
        (HttpsRedirect.PERMANENT, b"GET", 308),
        (HttpsRedirect.MOVED, b"GET", 301),
        (HttpsRedirect.MOVED, b"HEAD", 301),
        (HttpsRedirect.MOVED, b"POST", 308),
    ],
)
def test_a_method_is_kept(redirect: HttpsRedirect, method: bytes, status: int):
    assert redirect_status(TlsRules(redirect=redirect), method) == status


def test_a_challenge_is_one_file_over_plain_http():
    assert is_challenge(HTTP, b"/.well-known/acme-challenge/x")
    for target in (b"/.well-known/acme-challenge/x/y", b"/.well-known/acme-challenge/x%2fy", b"/x"):
        assert not is_challenge(HTTP, target)
    assert not is_challenge(HTTPS, b"/.well-known/acme-challenge/x")


ONE = ClientPolicy(ClientAuth.REQUIRED, "a.pem")
OTHER = ClientPolicy(ClientAuth.REQUIRED, "b.pem")
MAYBE = ClientPolicy(ClientAuth.OPTIONAL, "a.pem")


@pytest.mark.parametrize(
    ("had", "wanted", "good"),
    [
        (None, None, True),
        (ONE, ONE, True),
        (MAYBE, MAYBE, True),
        (None, MAYBE, True),
        (None, ONE, False),
        (ONE, None, False),
        (MAYBE, None, False),
        (MAYBE, ONE, False),
        (ONE, MAYBE, False),
        (ONE, OTHER, False),
    ],
)
def test_a_connection_is_good_for_what_it_was_made_for(
    had: ClientPolicy | None, wanted: ClientPolicy | None, good: bool
):
    assert is_good_for(had, wanted) is good


def test_a_certificate_is_a_byte_sequence():
    assert client_cert_value(b"\0\xff") == b":AP8=:"
