"""What can be said of TLS, in a node file and of a site."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.tls_rules import CLIENT_CERT, NO_TLS, ClientAuth, HttpsRedirect, TlsRules
from edge.settings.document import parse, read_table
from edge.settings.node import ListenAddress, MinimumVersion, TlsSettings
from edge.settings.node_schema import NODE
from edge.settings.site_file import read_site

SITE = 'hostnames = ["www.example.org"]\norigins = ["http://127.0.0.1:3000"]\n'


def node(text: str) -> TlsSettings:
    document = parse("edge.toml", text.encode())
    written = read_table(document, document.table, NODE, env={})
    assert written.problems == []
    return NODE.build(written.values).tls


def test_a_node_speaks_no_tls_unless_it_is_told():
    assert node("") == TlsSettings()


def test_everything_that_a_node_can_say():
    said = node(
        '[tls]\nlisten = "0.0.0.0:443"\ncertificates = "certs"\ndefault = "WWW.example.org"\nminimum_version = "1.3"\n'
        'tickets = "off"\nclient_certificate = "optional"\nclient_ca = "ca.pem"\n'
    )
    assert said.listen == (ListenAddress("0.0.0.0", 443),)
    assert (said.default, said.minimum_version, said.tickets) == (
        b"www.example.org",
        MinimumVersion.TLS_13,
        None,
    )
    assert said.client_auth is ClientAuth.OPTIONAL


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", NO_TLS),
        ('redirect = "301"\nredirect_port = 8443', TlsRules(HttpsRedirect.MOVED, 8443)),
        ('hsts = "off"', TlsRules()),
        ('hsts = "5m"\nhsts_subdomains = true', TlsRules(hsts=300.0, hsts_subdomains=True)),
        ('client_certificate = "node"', TlsRules()),
        ('client_certificate = "required"', TlsRules(client_auth=ClientAuth.REQUIRED)),
        ('client_ca = "ca.pem"', TlsRules(client_ca="at/ca.pem")),
        ("tell_origin = true", TlsRules(tell=True)),
    ],
)
def test_what_a_site_can_say(text: str, rules: TlsRules):
    document = parse("at/site.toml", f"{SITE}[tls]\n{text}\n".encode())
    placed, problems = read_site(document, document.table, env={}, folder=Path("at"))
    assert problems == []
    assert placed.rules.tls == rules
    assert (CLIENT_CERT in placed.rules.key.headers) is rules.tell


def test_a_site_that_says_nothing_has_the_rules_that_cost_nothing():
    document = parse("site.toml", SITE.encode())
    assert read_site(document, document.table, env={}, folder=Path())[0].rules.tls is NO_TLS
