"""The settings of TLS towards clients: of a node, and of a site. PURE.

Rules: edge.settings.schema; the defaults stand in edge.settings.node and edge.semantics.tls_rules.
"""

from __future__ import annotations

from edge.semantics.rules import DAY, HOUR
from edge.semantics.tls_rules import ClientAuth, HttpsRedirect
from edge.settings.address_kinds import FileName, HostName, Listen
from edge.settings.composed import ListOf, Or
from edge.settings.kinds import Choice, Count, Duration, Flag
from edge.settings.node import MinimumVersion
from edge.settings.schema import Setting

TLS = (
    Setting(
        "tls.listen",
        ListOf(Listen(), 16, one=True),
        "tls.listen",
        "Where clients are served over TLS, besides node.listen.",
        restart=True,
    ),
    Setting(
        "tls.certificates",
        Or("none", None, FileName()),
        "tls.certificates",
        "The folder of certificates and keys, with folders below it, as certbot, acme.sh and mkcert lay them out. It is looked "
        "at every few seconds; which one a client gets, the names in the certificates say.",
        restart=True,
    ),
    Setting(
        "tls.default",
        Or("refuse", None, HostName()),
        "tls.default",
        "A name in one of the certificates: clients get that one who name no host, or one that no certificate has. "
        '"refuse": they get the alert unrecognized_name.',
    ),
    Setting(
        "tls.minimum_version",
        Choice(tuple(MinimumVersion)),
        "tls.minimum_version",
        "The oldest version that clients may speak. In 1.2 there is ECDHE with AES-GCM or ChaCha20-Poly1305 only.",
    ),
    Setting(
        "tls.tickets",
        Or("off", None, Duration(HOUR, 7 * DAY)),
        "tls.tickets",
        "How long one secret seals session tickets, by which a client resumes its session at any worker of the node; it opens "
        "them for as long again. It is in memory only, and a restart makes a new one.",
    ),
    Setting(
        "tls.client_certificate",
        Choice(tuple(ClientAuth)),
        "tls.client_auth",
        'Whether clients are asked for a certificate: "off", "optional", "required". Sites may say otherwise.',
    ),
    Setting(
        "tls.client_ca",
        Or("none", None, FileName()),
        "tls.client_ca",
        "The authorities whose client certificates are good, as PEM.",
    ),
)
TLS_TABLES = {"tls": "TLS towards clients."}

SITE_TLS = (
    Setting(
        "tls.redirect",
        Choice(tuple(HttpsRedirect)),
        "tls.redirect",
        'What requests over plain HTTP are answered: "off", they are served; "308", they are sent to https; "301", GET and '
        "HEAD are sent there by 301, others by 308. Challenges of ACME (/.well-known/acme-challenge/) are served anyway. "
        "What a trusted proxy says that it got over https is not sent there again.",
    ),
    Setting(
        "tls.redirect_port",
        Count(1, 65_535),
        "tls.redirect_port",
        "The port that they are sent to.",
    ),
    Setting(
        "tls.hsts",
        Or("off", None, Duration(0, 10 * 365 * DAY)),
        "tls.hsts",
        "max-age of Strict-Transport-Security in answers over https, instead of what the origin says. Browsers then refuse "
        "plain HTTP and bad certificates of this host for so long, so begin with minutes. 0 takes it back.",
    ),
    Setting(
        "tls.hsts_subdomains",
        Flag(),
        "tls.hsts_subdomains",
        "Whether it holds for all names below the host, too.",
    ),
    Setting(
        "tls.hsts_preload",
        Flag(),
        "tls.hsts_preload",
        "Whether browsers may build it in. That takes a year and hsts_subdomains, and months to take back.",
    ),
    Setting(
        "tls.client_certificate",
        Or("node", None, Choice(tuple(ClientAuth))),
        "tls.client_auth",
        "Whether clients that name a host of this site are asked for a certificate. A site that asks is not served on a "
        "connection that was made for one that does not, nor over plain HTTP: 421.",
    ),
    Setting(
        "tls.client_ca",
        Or("node", None, FileName()),
        "tls.client_ca",
        "The authorities whose client certificates are good for this site.",
    ),
    Setting(
        "tls.tell_origin",
        Flag(),
        "tls.tell",
        "Whether the origin is told of the client's certificate, in Client-Cert (RFC 9440). It is part of the key then: what "
        "is stored for one client is for no other. One that a client sends by itself is dropped in any case.",
    ),
)
SITE_TLS_TABLES = {"tls": "Encryption towards clients."}
