"""Contexts of a node made in memory, clients for them, and handshakes without a socket."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

from edge.semantics.rules import SiteRules
from edge.settings.node import TlsSettings
from edge.settings.sites import SiteTable
from edge.tls.contexts import Contexts, Materials
from edge.tls.layout import Material
from edge.tls.pairs import Pair, looked_at
from edge.tls.tickets import TicketSecrets
from tests.kit.certificates import Authority

SECRETS = TicketSecrets(b"s" * 32)


def pair_for(authority: Authority, *names: str, name: str = "") -> Pair:
    """A certificate for these names that may be used."""
    chain, key = authority.pair(*names)
    return looked_at(Material(name or names[0], f"{name or names[0]}.crt", chain, key), None)


def contexts_for(
    authority: Authority,
    *names: str,
    settings: TlsSettings = TlsSettings(),
    sites: Sequence[SiteRules] = (),
    secrets: TicketSecrets | None = SECRETS,
    authorities: Mapping[str, bytes] | None = None,
) -> Contexts:
    """A certificate for each name."""
    pairs = [pair_for(authority, name) for name in names]
    return Contexts(Materials(pairs, authorities or {}), settings, SiteTable(sites), secrets)


def shake_hands(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    name: str,
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after a handshake, the client's and the server's, the tickets taken. ssl.SSLError of who fails first."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=name, session=session)
    its = server.wrap_bio(up, down, server_side=True)
    left = [ours, its]
    while left:
        for end in tuple(left):
            try:
                end.do_handshake()
                left.remove(end)
            except ssl.SSLWantReadError:
                continue
    its.write(b"x")
    assert ours.read(1) == b"x"
    return ours, its
