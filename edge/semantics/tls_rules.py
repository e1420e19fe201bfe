"""What a site wants of the encryption towards its clients. PURE. RFC 6797, RFC 9440, RFC 9110 s15.4, s15.5.20.

Owns: `TlsRules`, a part of `SiteRules`, and what follows from them: the value of Strict-Transport-Security, where a request
over plain HTTP is sent, whether a connection is good enough for a site, and the value of Client-Cert. Rules: a site that asks
for client certificates is served on connections only that were asked for the same ones; HSTS is said over https only; the
challenges of ACME are answered where the authority looks for them, over plain HTTP.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from enum import Enum

from edge.semantics.message import Authority, Line

CLIENT_CERT = b"client-cert"
"""The request field that has a client's certificate (RFC 9440 s2.2)."""

_CHALLENGE = re.compile(rb"/\.well-known/acme-challenge/[A-Za-z0-9_\-]+")
"""RFC 8555 s8.3: a token is base64url. Nothing else below that folder is meant: `..` would lead out of it."""


class HttpsRedirect(Enum):
    """What a request over plain HTTP is answered."""

    OFF = "off"
    """It is served (default)."""
    PERMANENT = "308"
    MOVED = "301"
    """GET and HEAD; all other methods get 308, which keeps them."""


class ClientAuth(Enum):
    """Whether clients are asked for a certificate."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """What clients are asked for; never with OFF. ca_file: the authorities whose certificates are good."""

    auth: ClientAuth
    ca_file: str


@dataclass(frozen=True, slots=True)
class TlsRules:
    """Of one site."""

    redirect: HttpsRedirect = HttpsRedirect.OFF
    redirect_port: int = 443
    hsts: float | None = None
    """max-age of Strict-Transport-Security, seconds; 0 takes it back. None = it is not said."""
    hsts_subdomains: bool = False
    hsts_preload: bool = False
    client_auth: ClientAuth | None = None
    """None = as the node says; `client` is what came of it."""
    client_ca: str | None = None
    client: ClientPolicy | None = None
    """None = no certificate is asked for."""
    tell: bool = False
    """Whether the origin is told of the client's certificate; `CLIENT_CERT` is in the key then."""


NO_TLS = TlsRules()


def hsts_line(rules: TlsRules, authority: Authority) -> Line | None:
    """Strict-Transport-Security (RFC 6797 s6.1, s7.2); None = the site says none, or it does not go over https."""
    if rules.hsts is None or authority.scheme != b"https":
        return None
    said = b"max-age=%d" % rules.hsts
    if rules.hsts_subdomains:
        said += b"; includeSubDomains"
    if rules.hsts_preload:
        said += b"; preload"
    return (b"Strict-Transport-Security", said)


def is_challenge(authority: Authority, target: bytes) -> bool:
    """Whether an authority asks for the answer to an http-01 challenge (RFC 8555 s8.3)."""
    return authority.scheme == b"http" and _CHALLENGE.fullmatch(target) is not None


def https_location(rules: TlsRules, authority: Authority, target: bytes) -> bytes | None:
    """Where a request belongs that came over plain HTTP; None = it is served as it is."""
    if rules.redirect is HttpsRedirect.OFF or authority.scheme != b"http" or not target.startswith(b"/"):
        return None
    if is_challenge(authority, target):
        return None
    return b"https://%b%b" % (Authority(b"https", authority.host, rules.redirect_port).render(), target)


def redirect_status(rules: TlsRules, method: bytes) -> int:
    """301 for GET and HEAD where the site wants that, else 308: many turn a POST that got a 301 into a GET."""
    return 301 if rules.redirect is HttpsRedirect.MOVED and method in {b"GET", b"HEAD"} else 308


def is_good_for(had: ClientPolicy | None, wanted: ClientPolicy | None) -> bool:
    """Whether a request for a site may be answered on a connection. had: what its client was asked for in the handshake.

    A site with optional certificates takes who was never asked as who has none. All else must be the same: a certificate
    that was shown for one site says nothing to another.
    """
    if had == wanted:
        return True
    return had is None and wanted is not None and wanted.auth is ClientAuth.OPTIONAL


def client_cert_value(certificate: bytes) -> bytes:
    """The value of Client-Cert: a byte sequence of the DER (RFC 9440 s2.1)."""
    return b":" + b64encode(certificate) + b":"
