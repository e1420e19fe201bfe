"""What a site wants of a connection: through a whole worker, over plain HTTP, behind a proxy, and over TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.errors import ClientFault
from edge.exchange import ClientTls, Exchange, Reply
from edge.guarding import Guarding, says_hsts, with_hsts
from edge.semantics.message import EMPTY, Authority
from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, HttpsRedirect, TlsRules
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.request import parse_request_head
from tests.kit.edge import Edge
from tests.kit.origin import Canned, ScriptedOrigin

STS = "Strict-Transport-Security"
FRESH = {"Cache-Control": "max-age=600", STS: "max-age=1"}
HTTPS = {"X-Forwarded-Proto": "https"}
POLICY = ClientPolicy(ClientAuth.REQUIRED, "ca.pem")


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        yield origin


def edge_at(tmp_path: Path, origin: ScriptedOrigin, tls: str) -> Edge:
    """Behind a proxy that ends TLS: what it says of the scheme is believed."""
    site = f'[[site]]\nhostnames = ["*"]\norigins = ["{origin.url}"]\n[site.tls]\n{tls}'
    return Edge(tmp_path, config=f'[node]\ntrusted_proxies = ["127.0.0.0/8"]\n{site}')


async def test_plain_http_is_sent_to_https_and_what_came_by_https_is_not(
    tmp_path: Path, origin: ScriptedOrigin
):
    origin.on("/a", Canned(200, FRESH, b"x"))
    async with edge_at(tmp_path, origin, 'redirect = "301"\nredirect_port = 8443\n') as edge:
        for method, status in (("GET", 301), ("HEAD", 301), ("POST", 308)):
            answer = await edge.request(method, "/a?b=%20c", {"Host": "www.example.org"})
            assert answer.status == status
            assert answer.header("Location") == b"https://www.example.org:8443/a?b=%20c"
            assert answer.header("Cache-Control") == b"no-store"
            assert b"detail=to-https" in (answer.header("Cache-Status") or b"")
        assert origin.seen("/a?b=%20c") == []
        for _ in range(2):
            answer = await edge.get("/a", HTTPS)
            assert (answer.status, answer.body) == (200, b"x")
        assert (await edge.get("/a", {"X-Forwarded-Proto": "http"})).status == 301


async def test_challenges_are_served_over_plain_http(tmp_path: Path, origin: ScriptedOrigin):
    origin.on("/.well-known/acme-challenge/token-1", Canned(200, {}, b"proof"))
    async with edge_at(tmp_path, origin, 'redirect = "308"\n') as edge:
        assert (await edge.get("/.well-known/acme-challenge/token-1")).body == b"proof"
        assert (await edge.get("/.well-known/acme-challenge/a/../../x")).status == 308


async def test_hsts_is_in_every_answer_over_https_and_in_none_over_http(
    tmp_path: Path, origin: ScriptedOrigin
):
    origin.on("/a", Canned(200, {**FRESH, "ETag": '"1"'}, b"0123456789"))
    origin.on("/private", Canned(200, {"Cache-Control": "no-store"}, b"x"))
    origin.on("/gone", Canned(404, {"Cache-Control": "no-store"}, b"x"))
    requests = [("/a", {}), ("/a", {}), ("/a", {"If-None-Match": '"1"'}), ("/a", {"Range": "bytes=2-3"})]
    requests += [("/private", {}), ("/gone", {}), ("/nowhere/%zz", {})]
    async with edge_at(tmp_path, origin, 'hsts = "1h"\nhsts_subdomains = true\n') as edge:
        for target, headers in requests:
            answer = await edge.get(target, {**headers, **HTTPS})
            said = [value for name, value in answer.headers if name.lower() == b"strict-transport-security"]
            assert said == [b"max-age=3600; includeSubDomains"], (target, headers, answer)
        for _ in range(2):
            assert (await edge.get("/a")).header(STS) == b"max-age=1"
        assert edge.counted("perigee_requests_total")["2xx"] > 0


async def test_without_settings_the_field_is_the_origins(tmp_path: Path, origin: ScriptedOrigin):
    origin.on("/a", Canned(200, FRESH, b"x"))
    async with edge_at(tmp_path, origin, "") as edge:
        for _ in range(2):
            assert (await edge.get("/a", HTTPS)).header(STS) == b"max-age=1"


async def test_what_a_client_says_of_its_certificate_never_reaches_an_origin(
    tmp_path: Path, origin: ScriptedOrigin
):
    origin.on("/a", Canned(200, {"Cache-Control": "no-store"}, b"x"))
    forged = {"Client-Cert": ":AAAA:", "Client-Cert-Chain": ":AAAA:", "Client_Cert": ":AAAA:"}
    for number, tell in enumerate(("", "tell_origin = true\n")):
        async with edge_at(tmp_path / str(number), origin, tell) as edge:
            await edge.get("/a", forged)
    for request in origin.seen("/a"):
        assert not [name for name, _ in request.headers if b"cert" in name.lower()]


@pytest.mark.parametrize("auth", ["required", "optional"])
async def test_a_site_that_asks_for_certificates_is_not_served_over_plain_http(
    tmp_path: Path, origin: ScriptedOrigin, auth: str
):
    origin.on("/a", Canned(200, FRESH, b"x"))
    origin.on("/.well-known/acme-challenge/t", Canned(200, {}, b"proof"))
    tls = f'client_certificate = "{auth}"\nclient_ca = "ca.pem"\n'
    async with edge_at(tmp_path, origin, tls) as edge:
        for headers in ({}, HTTPS):
            for _ in range(2):
                assert (await edge.get("/a", headers)).status == (421 if auth == "required" else 200)
        assert (await edge.get("/.well-known/acme-challenge/t")).body == b"proof"


def exchange_of(tls: ClientTls | None, host: bytes = b"a.test") -> Exchange:
    head = b"GET /a HTTP/1.1\r\nHost: " + host + b"\r\nClient-Cert: :AAAA:\r\n\r\n"
    return Exchange(parse_request_head(head, DEFAULT_LIMITS, b"https"), "192.0.2.1", tls=tls)


@pytest.mark.parametrize(
    ("method", "more", "is_served"),
    [
        (b"GET", b"", True),
        (b"HEAD", b"", True),
        (b"POST", b"Content-Length: 1\r\n", False),
        (b"DELETE", b"", False),
        (b"GET", b"Content-Length: 1\r\n", False),
        (b"GET", b"Connection: upgrade\r\nUpgrade: websocket\r\n", False),
    ],
)
def test_who_shows_no_certificate_may_fetch_a_challenge_and_do_nothing_else_there(
    method: bytes, more: bytes, is_served: bool
):
    head = method + b" /.well-known/acme-challenge/t HTTP/1.1\r\nHost: a.test\r\n" + more + b"\r\n"
    exchange = Exchange(parse_request_head(head, DEFAULT_LIMITS), "192.0.2.1")
    rules = SiteRules(tls=TlsRules(client=POLICY))
    if is_served:
        assert Guarding(b"edge").admitted(exchange, exchange.request.head, rules) is exchange.request.head
        return
    with pytest.raises(ClientFault) as refused:
        Guarding(b"edge").admitted(exchange, exchange.request.head, rules)
    assert refused.value.status == 421


@pytest.mark.parametrize(
    ("had", "wanted", "is_served"),
    [
        (None, None, True),
        (POLICY, POLICY, True),
        (POLICY, None, False),
        (None, POLICY, False),
        (ClientPolicy(ClientAuth.REQUIRED, "other.pem"), POLICY, False),
    ],
)
def test_a_connection_of_another_kind_is_misdirected(
    had: ClientPolicy | None, wanted: ClientPolicy | None, is_served: bool
):
    exchange = exchange_of(None if had is None else ClientTls(had, b"der"))
    head = exchange.request.head
    guarding, rules = Guarding(b"edge"), SiteRules(tls=TlsRules(client=wanted))
    if is_served:
        assert guarding.admitted(exchange, head, rules) is head
        return
    with pytest.raises(ClientFault) as fault:
        guarding.admitted(exchange, head, rules)
    assert fault.value.status == 421


@pytest.mark.parametrize(("certificate", "told"), [(b"\0\xff", b":AP8=:"), (None, None)])
def test_the_origin_is_told_what_the_handshake_showed(certificate: bytes | None, told: bytes | None):
    policy = ClientPolicy(ClientAuth.OPTIONAL, "ca.pem")
    exchange = exchange_of(ClientTls(policy, certificate))
    admitted = Guarding(b"edge").admitted(
        exchange, exchange.request.head, SiteRules(tls=TlsRules(client=policy, tell=True))
    )
    assert not isinstance(admitted, Reply)
    assert admitted.fields.get(b"client-cert") == told


def test_a_redirect_comes_before_the_question_for_a_certificate():
    head = parse_request_head(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n", DEFAULT_LIMITS)
    rules = SiteRules(tls=TlsRules(client=POLICY, redirect=HttpsRedirect.PERMANENT))
    reply = Guarding(b"edge").admitted(Exchange(head, "192.0.2.1"), head.head, rules)
    assert isinstance(reply, Reply) and reply.status == 308


def test_a_purge_is_not_sent_elsewhere():
    head = parse_request_head(b"PURGE /a HTTP/1.1\r\nHost: a.test\r\n\r\n", DEFAULT_LIMITS)
    rules = SiteRules(tls=TlsRules(redirect=HttpsRedirect.PERMANENT))
    assert Guarding(b"edge").admitted(Exchange(head, "192.0.2.1"), head.head, rules) is head.head


def test_a_reply_that_is_ready_is_left_alone():
    rules = SiteRules(tls=TlsRules(hsts=1.0))
    assert says_hsts([SiteRules(), rules]) and not says_hsts([SiteRules()])
    authority = Authority(b"https", b"a.test", 443)
    ready = Reply(200, b"", EMPTY, b"", 0, ready=b"HTTP/1.1 200 OK\r\n")
    assert with_hsts(ready, authority, rules).fields is EMPTY
