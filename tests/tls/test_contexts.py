"""Which context a hello leads to, and what a handshake with it is like."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, TlsRules
from edge.settings.node import MinimumVersion, TlsSettings
from edge.tls.contexts import (
    NO_APPLICATION_PROTOCOL,
    UNRECOGNIZED_NAME,
    Contexts,
    Materials,
    Refusal,
    Slot,
    authorities_of,
)
from edge.tls.outcomes import Outcome
from edge.tls.tickets import TicketSecrets
from edge.wire.client_hello import ClientHello
from tests.kit.certificates import Authority
from tests.kit.tls import SECRETS, VERSIONS, contexts_for, pair_for, shake_hands

AUTHENTICATED = ("GCM-SHA256", "GCM-SHA384", "POLY1305", "GCM_SHA256", "GCM_SHA384", "POLY1305_SHA256")
NOBODY = Refusal(Outcome.UNKNOWN_NAME, UNRECOGNIZED_NAME)


def names_of(chosen: Slot | Refusal, authority: Authority, name: str) -> bool:
    """Whether it shows a certificate that is good for the name."""
    assert isinstance(chosen, Slot)
    try:
        shake_hands(authority.client(), chosen.context, name)
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_the_name_chooses_the_certificate(authority: Authority):
    contexts = contexts_for(authority, "a.test", "*.b.test")
    for name in (b"a.test", b"x.b.test"):
        assert names_of(contexts.choose(ClientHello(name)), authority, name.decode())
    assert not names_of(contexts.choose(ClientHello(b"a.test")), authority, "x.b.test")
    for hello in (ClientHello(), ClientHello(b"c.test"), ClientHello(b"b.test")):
        assert contexts.choose(hello) == NOBODY


def test_the_default_is_for_those_who_name_nobody_that_is_known(authority: Authority):
    contexts = contexts_for(authority, "a.test", "*.b.test", settings=TlsSettings(default=b"y.b.test"))
    for hello in (ClientHello(), ClientHello(b"c.test")):
        assert names_of(contexts.choose(hello), authority, "z.b.test")


def test_the_names_of_all_pairs_are_known_before_any_context_is_made(authority: Authority):
    names = Materials([pair_for(authority, "a.test"), pair_for(authority, "*.b.test")]).names()
    assert [names.find(name) for name in (b"a.test", b"y.b.test", b"c.test")] == [0, 1, None]


@pytest.mark.parametrize(
    ("protocols", "is_let_in"),
    [((), True), ((b"http/1.1",), True), ((b"h2", b"http/1.1"), True), ((b"h2",), False), ((b"ftp",), False)],
)
def test_http_1_1_is_all_that_is_spoken(authority: Authority, protocols: tuple[bytes, ...], is_let_in: bool):
    chosen = contexts_for(authority, "a.test").choose(ClientHello(b"a.test", protocols))
    if is_let_in:
        assert isinstance(chosen, Slot)
    else:
        assert chosen == Refusal(Outcome.NO_PROTOCOL, NO_APPLICATION_PROTOCOL)


def chosen_of(contexts: Contexts, name: bytes = b"a.test") -> Slot:
    chosen = contexts.choose(ClientHello(name))
    assert isinstance(chosen, Slot)
    return chosen


@pytest.mark.parametrize(
    "cipher", ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"]
)
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(authority: Authority, cipher: str):
    client = authority.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake_hands(client, chosen_of(contexts_for(authority, "a.test")).context, "a.test")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("minimum", list(MinimumVersion))
def test_versions(authority: Authority, version: ssl.TLSVersion, minimum: MinimumVersion):
    client = authority.client()
    client.minimum_version = client.maximum_version = version
    context = chosen_of(
        contexts_for(authority, "a.test", settings=TlsSettings(minimum_version=minimum))
    ).context
    if version is ssl.TLSVersion.TLSv1_2 and minimum is MinimumVersion.TLS_13:
        with pytest.raises(ssl.SSLError):
            shake_hands(client, context, "a.test")
    else:
        _ours, its = shake_hands(client, context, "a.test")
        assert its.compression() is None
        cipher = its.cipher()
        assert cipher is not None and cipher[0].endswith(AUTHENTICATED)


@VERSIONS
def test_a_session_of_one_worker_is_resumed_at_another(authority: Authority, version: ssl.TLSVersion):
    client = authority.client()
    client.minimum_version = client.maximum_version = version
    one, other = (chosen_of(contexts_for(authority, "a.test")) for _ in range(2))
    session = shake_hands(client, one.context, "a.test")[0].session
    ours, its = shake_hands(client, other.context, "a.test", session)
    assert ours.session_reused and its.session_reused


@VERSIONS
def test_new_secrets_open_no_old_tickets_but_the_former_does(authority: Authority, version: ssl.TLSVersion):
    client = authority.client()
    client.minimum_version = client.maximum_version = version
    contexts = contexts_for(authority, "a.test")
    slot = chosen_of(contexts)
    session = shake_hands(client, slot.context, "a.test")[0].session
    contexts.take(TicketSecrets(b"n" * 32, SECRETS.current))
    assert not shake_hands(client, slot.context, "a.test", session)[0].session_reused
    assert slot.keys is not None and slot.keys.former is not None


@VERSIONS
def test_without_tickets_nobody_resumes(authority: Authority, version: ssl.TLSVersion):
    client = authority.client()
    client.minimum_version = client.maximum_version = version
    slot = chosen_of(contexts_for(authority, "a.test", settings=TlsSettings(tickets=None)))
    session = shake_hands(client, slot.context, "a.test")[0].session
    if version is ssl.TLSVersion.TLSv1_3:
        assert session is None or not session.has_ticket
    assert slot.keys is None


def guarded(auth: ClientAuth, host: bytes) -> SiteRules:
    policy = None if auth is ClientAuth.OFF else ClientPolicy(auth, "ca.pem")
    return SiteRules(name=host.decode(), hostnames=(host,), tls=TlsRules(client=policy))


def test_what_is_asked_of_a_client_the_site_says(authority: Authority, tmp_path: Path):
    contexts = contexts_for(
        authority,
        "open.test",
        "maybe.test",
        "closed.test",
        sites=[
            guarded(ClientAuth.OFF, b"open.test"),
            guarded(ClientAuth.OPTIONAL, b"maybe.test"),
            guarded(ClientAuth.REQUIRED, b"closed.test"),
        ],
        authorities={"ca.pem": authority.file.read_bytes()},
    )
    shown = authority.client(shown=authority.pair(common_name="me"))
    (tmp_path / "other").mkdir()
    stranger = Authority.make(tmp_path / "other").pair(common_name="not me")
    for name, asked in (("open.test", False), ("maybe.test", True), ("closed.test", True)):
        context = chosen_of(contexts, name.encode()).context
        certificate = shake_hands(shown, context, name)[1].getpeercert(binary_form=True)
        assert (certificate is not None) is asked
    assert shake_hands(authority.client(), chosen_of(contexts, b"maybe.test").context, "maybe.test")
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN"):
        shake_hands(authority.client(), chosen_of(contexts, b"closed.test").context, "closed.test")
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake_hands(
            authority.client(shown=stranger), chosen_of(contexts, b"maybe.test").context, "maybe.test"
        )


@VERSIONS
def test_a_ticket_from_where_nobody_is_asked_is_none_where_a_certificate_is(
    authority: Authority, version: ssl.TLSVersion
):
    """RFC 8446 s4.6.1: else it would be a way around the certificate."""
    client = authority.client()
    client.minimum_version = client.maximum_version = version
    sites = [guarded(ClientAuth.OFF, b"a.test"), guarded(ClientAuth.OPTIONAL, b"b.test")]
    contexts = contexts_for(
        authority, "*.test", sites=sites, authorities={"ca.pem": authority.file.read_bytes()}
    )
    one, other = chosen_of(contexts, b"a.test"), chosen_of(contexts, b"b.test")
    assert one.policy is None and other.policy is not None
    client.check_hostname = False
    session = shake_hands(client, one.context, "a.test")[0].session
    assert not shake_hands(client, other.context, "a.test", session)[0].session_reused
    assert shake_hands(client, one.context, "a.test", session)[0].session_reused


def test_a_certificate_that_was_shown_is_known_when_its_session_is_resumed(authority: Authority):
    sites = [guarded(ClientAuth.REQUIRED, b"a.test")]
    slots = [
        chosen_of(
            contexts_for(
                authority, "a.test", sites=sites, authorities={"ca.pem": authority.file.read_bytes()}
            )
        )
        for _ in range(2)
    ]
    shown = authority.client(shown=authority.pair(common_name="me"))
    ours, its = shake_hands(shown, slots[0].context, "a.test")
    again, there = shake_hands(shown, slots[1].context, "a.test", ours.session)
    assert again.session_reused
    assert there.getpeercert(binary_form=True) == its.getpeercert(binary_form=True) is not None


def test_the_node_says_what_no_site_says(authority: Authority, tmp_path: Path):
    settings = TlsSettings(client_auth=ClientAuth.REQUIRED, client_ca=tmp_path / "ca.pem", default=b"a.test")
    ca_file = str(tmp_path / "ca.pem")
    contexts = contexts_for(
        authority, "a.test", settings=settings, authorities={ca_file: authority.file.read_bytes()}
    )
    for hello in (ClientHello(), ClientHello(b"a.test"), ClientHello(b"x.test")):
        chosen = contexts.choose(hello)
        assert isinstance(chosen, Slot) and chosen.policy == ClientPolicy(ClientAuth.REQUIRED, ca_file)
    assert authorities_of(settings, [guarded(ClientAuth.OPTIONAL, b"x")]) == (ca_file, "ca.pem")
