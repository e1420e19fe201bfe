"""What a handshake is done with: one context for each certificate and each thing that is asked of clients.

Owns: `Contexts`: all of a node, made whole and replaced whole; and `choose`. Rules: TLS 1.2 with ECDHE and AEAD only, or TLS
1.3; no compression, no renegotiation; of protocols http/1.1 and none else. What is asked of a client is a matter of the context
that its connection is given, which the name in its hello chooses: by the certificate that has that name, and by the site. A
client that names nobody, or a name that no certificate has, gets the default certificate, or an alert where there is none.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy
from edge.settings.node import MinimumVersion, TlsSettings
from edge.settings.sites import SiteTable
from edge.tls.loading import load_into
from edge.tls.names import NameTable
from edge.tls.outcomes import Outcome
from edge.tls.pairs import Pair
from edge.tls.tickets import TicketKeys, TicketSecrets, set_keys, without_session_cache
from edge.values import value
from edge.wire.client_hello import ClientHello

CIPHERS_12 = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP"
"""Of TLS 1.2: forward secrecy and authenticated encryption [Mozilla's intermediate list, without DHE]."""
PROTOCOL = b"http/1.1"
UNRECOGNIZED_NAME, NO_APPLICATION_PROTOCOL, DECODE_ERROR = 112, 120, 50
"""Alerts (RFC 6066 s3, RFC 7301 s3.2, RFC 8446 s6)."""

_VERSIONS = {
    MinimumVersion.TLS_12: ssl.TLSVersion.TLSv1_2,
    MinimumVersion.TLS_13: ssl.TLSVersion.TLSv1_3,
}
_VERIFY = {ClientAuth.OPTIONAL: ssl.CERT_OPTIONAL, ClientAuth.REQUIRED: ssl.CERT_REQUIRED}


@dataclass(slots=True)
class Slot:
    """policy: what the client is asked for, None = nothing. keys: of its tickets, None = no worker shares them."""

    context: ssl.SSLContext
    policy: ClientPolicy | None
    about: bytes
    """What the keys of its tickets are derived from."""
    keys: TicketKeys | None = None


@value(frozen=True, slots=True)
class Refusal:
    """No handshake. alert: its number."""

    outcome: Outcome
    alert: int


@dataclass(frozen=True, slots=True)
class Materials:
    """All that is made of files. authorities: of clients, by the file they stand in, PEM."""

    pairs: Sequence[Pair] = ()
    authorities: Mapping[str, bytes] = field(default_factory=dict)

    def names(self) -> NameTable[int]:
        """Which of the pairs has a name."""
        return NameTable((name, index) for index, pair in enumerate(self.pairs) for name in pair.names)


class Contexts:
    """Of one node. Making it blocks, some 0.3 ms for each certificate. PairFault when OpenSSL refuses one of them.

    secrets: for tickets that all workers can open; None = each has its own. sites: by their names clients are asked.
    """

    def __init__(
        self,
        materials: Materials,
        settings: TlsSettings,
        sites: SiteTable,
        secrets: TicketSecrets | None = None,
    ) -> None:
        self._materials = materials
        self._settings = settings
        self._sites = sites
        self._slots: dict[tuple[int, ClientPolicy | None], Slot] = {}
        self._names = materials.names()
        default = settings.default
        self._default = None if default is None else self._names.find(default)
        policies = _policies(settings, sites)
        for index in range(len(materials.pairs)):
            for policy in policies:
                self._slots[index, policy] = self._make(index, policy)
        self.take(secrets)

    def take(self, secrets: TicketSecrets | None) -> None:
        """New secrets: handshakes from now on get tickets that they seal. None = keep to what there is."""
        if secrets is None or not self._settings.tickets:
            return
        for slot in self._slots.values():
            slot.keys = TicketKeys.of(secrets, slot.about)
            set_keys(slot.context, slot.keys.current)
            without_session_cache(slot.context)

    def choose(self, hello: ClientHello) -> Slot | Refusal:
        """What to do the handshake with."""
        if hello.protocols and PROTOCOL not in hello.protocols:
            return Refusal(Outcome.NO_PROTOCOL, NO_APPLICATION_PROTOCOL)
        name = hello.server_name
        index = None if name is None else self._names.find(name)
        policy = self._settings.client
        if name is not None:
            rules = self._sites.find(name)
            policy = policy if rules is None else rules.tls.client
        if index is None:
            index = self._default
        if index is None:
            return Refusal(Outcome.UNKNOWN_NAME, UNRECOGNIZED_NAME)
        return self._slots[index, policy]

    def _make(self, index: int, policy: ClientPolicy | None) -> Slot:
        pair, settings = self._materials.pairs[index], self._settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[settings.minimum_version]
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(CIPHERS_12)
        context.set_alpn_protocols([PROTOCOL.decode()])
        if not settings.tickets:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        load_into(context, pair.material)
        about = b"nobody is asked"
        if policy is not None:
            authorities = self._materials.authorities[policy.ca_file]
            context.verify_mode = _VERIFY[policy.auth]
            trust(context, authorities)
            about = policy.auth.value.encode() + b"\0" + authorities
        return Slot(context, policy, about)


def trust(context: ssl.SSLContext, authorities: bytes) -> None:
    """Have it trust the certificates in PEM. What is not ASCII is a comment. ValueError, SSLError when there are none."""
    context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))


def authorities_of(settings: TlsSettings, sites: Iterable[SiteRules]) -> tuple[str, ...]:
    """The files with authorities of clients that settings name, each once."""
    files = (policy.ca_file for policy in _policies(settings, sites) if policy is not None)
    return tuple(dict.fromkeys(files))


def _policies(settings: TlsSettings, sites: Iterable[SiteRules]) -> tuple[ClientPolicy | None, ...]:
    """What the node and its sites ask of clients, each once."""
    return tuple(dict.fromkeys((settings.client, *(site.tls.client for site in sites))))
