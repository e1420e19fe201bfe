"""Contexts of a node made in memory, clients for them, handshakes without a socket, and visits over one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from edge.semantics.rules import SiteRules
from edge.settings.node import TlsSettings
from edge.settings.sites import SiteTable
from edge.tls.contexts import Contexts, Materials
from edge.tls.layout import Material
from edge.tls.pairs import Pair, looked_at
from edge.tls.tickets import TicketSecrets
from tests.kit.certificates import Authority

SECRETS = TicketSecrets(b"s" * 32)
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


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


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of one. session: what may be resumed later, None = the server gave none. said: all bytes of the answer."""

    was_resumed: bool
    session: ssl.SSLSession | None
    said: bytes


def visit(
    port: int, context: ssl.SSLContext, name: str, target: str, session: ssl.SSLSession | None = None
) -> Visit:
    """GET on a connection of its own to its end; blocks."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    with context.wrap_socket(raw, server_hostname=name, session=session) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while piece := client.recv(65536):
            said += piece
        return Visit(bool(client.session_reused), client.session, said)
