"""What settings of TLS say together, of a node and of its sites.

Owns: `tls_in_folder`, `with_policies`, `unfit_tls`. Rules: what a site does not say of client certificates the node says, and
after loading each site's `TlsRules.client` is complete; who asks for certificates has authorities to judge them by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from edge.semantics.tls_rules import ClientAuth, ClientPolicy, TlsRules
from edge.settings.document import Document
from edge.settings.node import NodeSettings, TlsSettings
from edge.settings.problems import Problem
from edge.settings.site_file import PlacedSite
from edge.settings.site_schema import YEAR


def tls_in_folder(settings: TlsSettings, folder: Path) -> TlsSettings:
    """The files that settings name, meant from `folder`."""
    names = ("certificates", "client_ca")
    return replace(
        settings, **{name: folder / said for name in names if (said := getattr(settings, name)) is not None}
    )


def unfit_tls(settings: NodeSettings, document: Document) -> Iterator[Problem]:
    """What is missing for that which is asked for."""
    tls = settings.tls
    if tls.listen and tls.certificates is None:
        instead = 'write the folder they are in, such as certificates = "certificates"'
        yield document.problem(
            ("tls", "listen"), "TLS needs certificates, and tls.certificates is none", instead
        )
    for index, address in enumerate(tls.listen):
        if address.port and address in settings.listen:
            wrong = f"{address} stands in node.listen, too"
            yield document.problem(
                ("tls", "listen", index), wrong, "write another port: one speaks TLS or not"
            )
    if tls.client_auth is not ClientAuth.OFF and tls.client_ca is None:
        wrong = "there are no authorities to judge the certificates of clients by"
        yield document.problem(("tls", "client_certificate"), wrong, "write tls.client_ca, a file of PEM")


def with_policies(
    sites: Iterable[PlacedSite], settings: TlsSettings
) -> tuple[list[PlacedSite], list[Problem]]:
    """The sites with what their clients are asked for, and what is wrong with their [tls]."""
    problems: list[Problem] = []
    placed: list[PlacedSite] = []
    for site in sites:
        tls = site.rules.tls
        wrong, policy = _policy(tls, settings)
        if wrong is not None:
            at = (*site.base, "tls", "client_certificate")
            problems.append(
                site.document.problem(at, wrong, "write tls.client_ca, in this site or for the node")
            )
        if tls.hsts_preload and not (tls.hsts_subdomains and (tls.hsts or 0) >= YEAR):
            at = (*site.base, "tls", "hsts_preload")
            instead = 'write hsts = "365d" or more and hsts_subdomains = true, or leave it out'
            problems.append(
                site.document.problem(at, "browsers take no such entry into their lists", instead)
            )
        if policy is not None:
            site = replace(site, rules=replace(site.rules, tls=replace(tls, client=policy)))
        placed.append(site)
    return placed, problems


def _policy(tls: TlsRules, settings: TlsSettings) -> tuple[str | None, ClientPolicy | None]:
    auth = settings.client_auth if tls.client_auth is None else tls.client_auth
    ca_file = tls.client_ca or (None if settings.client_ca is None else str(settings.client_ca))
    if auth is ClientAuth.OFF:
        return None, None
    if ca_file is None:
        wrong = "there are no authorities to judge the certificates of clients by"
        return (None if tls.client_auth is None else wrong), None  # the node was told already
    return None, ClientPolicy(auth, ca_file)
