"""What one node is told.

Owns: `NodeSettings` and its parts, frozen and complete. Durations are seconds, sizes are bytes. The defaults here are
the defaults: edge.settings.node_schema reads them from here, as it reads those of limits from edge.wire.limits and
those of sites from edge.semantics.rules. Bounds and reasons stand in the schemas and in docs/reference/settings.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING

from edge.log import Form
from edge.semantics.rules import DAY, GIB, HOUR, KIB, MIB
from edge.semantics.tls_rules import ClientAuth, ClientPolicy
from edge.settings.sites import NO_SITES, SiteTable
from edge.wire.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from edge.settings.network import Network as WholeNetwork
    from edge.settings.network import NetworkNode

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A socket to listen on. host: an IP address without brackets, or a name. port: 0 = any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Nameserver:
    """A resolver to ask, by address."""

    address: IPv4Address | IPv6Address
    port: int = 53

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return host if self.port == 53 else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """The memory tier; each worker has its own."""

    capacity: int = 256 * MIB
    max_object: int = 4 * MIB


@dataclass(frozen=True, slots=True)
class DiskSettings:
    """The disk tier, shared by the workers."""

    capacity: int | None = 10 * GIB
    """None = no disk tier."""
    inline: int = 32 * KIB
    """Bodies up to this stand in the database row, larger ones in files of their own."""
    fsync: bool = False
    min_hits: int = 0
    """0 = every stored response is written when it is stored, 1 = only what was hit, when it leaves memory."""


class LogTarget(Enum):
    """Where the access log goes when it is no file."""

    STDOUT = "stdout"
    OFF = "off"


class LogLevel(Enum):
    """The least that is written to the application's log; the values are the logging module's names."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The access log, and the application's log on standard error."""

    access: Path | LogTarget = LogTarget.STDOUT
    format: str = "combined"
    """`combined`, `json`, or a line with {names} in it."""
    level: LogLevel = LogLevel.INFO
    form: Form = Form.TEXT


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """How the names of origins become addresses."""

    nameservers: tuple[Nameserver, ...] = ()
    """() = those of the system."""
    min_ttl: float = 1.0
    max_ttl: float = HOUR


class PurgeLogKind(Enum):
    """Where purges are kept."""

    NATS = "nats"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class PurgeSettings:
    """The purge API and what it takes."""

    log: PurgeLogKind = PurgeLogKind.NATS
    listen: ListenAddress | None = None
    """Beside the admin address; None = there only."""
    keys: Path | None = None
    """The key directory; None = keys/ in the data directory."""
    allow: tuple[Network, ...] = ()
    max_age: float = 300.0
    skew: float = 30.0
    rate: int = 5_000
    """Selectors a second, by site and node."""
    max_items: int = 1_000
    max_body: int = MIB
    max_wait: float = 60.0
    keep: int = 200_000
    """Selectors in the purge table of each process."""


class Durability(Enum):
    """Who sees to it that the log's servers fsync always."""

    CHECKED = "checked"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class NatsSettings:
    """Where the purge log is, and who we are there. Files: None = there is none."""

    url: tuple[str, ...] = ()
    """() = a server of our own."""
    credentials: Path | None = None
    nkey: Path | None = None
    token: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    prefix: str = "perigee"
    stream: str = "PERIGEE"
    domain: str | None = None
    replicas: int | None = None
    """None = 1 for a server of our own, else 3."""
    max_age: float = 7 * DAY
    max_bytes: int = GIB
    durability: Durability = Durability.CHECKED
    monitor: tuple[str, ...] = ()
    server: Path | None = None
    """The program of a server of our own; None = it is looked for."""


@dataclass(frozen=True, slots=True)
class TierSettings:
    """This node among the nodes of its network."""

    listen: ListenAddress | None = None
    """Where it serves other nodes; None = it does not."""
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """The first seals, each is good."""
    shields: tuple[ListenAddress, ...] = ()
    straight: bool = True
    """Whether origins are asked from here when no shield answers."""
    connect: float = 1.5
    check: float | None = 2.0
    """Seconds of silence after which a shield is asked whether it is there. None = never."""
    rest: float = 3.0
    """How long a shield that failed is passed over at first."""
    slow_return: float = 10.0


class MinimumVersion(Enum):
    """The oldest TLS that clients may speak."""

    TLS_12 = "1.2"
    TLS_13 = "1.3"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS towards clients."""

    listen: tuple[ListenAddress, ...] = ()
    """() = there is none."""
    certificates: Path | None = None
    """The folder of certificates and keys; needed where there is a `listen`."""
    default: bytes | None = None
    """A name whose certificate those get who name none, or one that nobody has. None = they are refused."""
    minimum_version: MinimumVersion = MinimumVersion.TLS_12
    tickets: float | None = 12 * HOUR
    """How long one secret seals session tickets. None = there are none."""
    client_auth: ClientAuth = ClientAuth.OFF
    client_ca: Path | None = None

    @property
    def client(self) -> ClientPolicy | None:
        """What clients are asked for where no site says otherwise; None = nothing."""
        if self.client_auth is ClientAuth.OFF or self.client_ca is None:
            return None
        return ClientPolicy(self.client_auth, str(self.client_ca))


class ReadyWhen(Enum):
    """When /readyz says that a node is."""

    STARTED = "started"
    WARM = "warm"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Everything a node is told."""

    name: str = "perigee"
    """In Cache-Status, Via, logs and metrics."""
    region: str = "default"
    """Where it is, for who waits for a purge in one region; may be empty of meaning in a network of one."""
    network_file: Path | None = None
    """The network that it is a node of; None = it stands alone."""
    network: WholeNetwork | None = None
    """What stands in that file, where `name` is a node."""
    listen: tuple[ListenAddress, ...] = (ListenAddress("127.0.0.1", 8080),)
    admin: ListenAddress | None = ListenAddress("127.0.0.1", 8081)
    """None = no admin API."""
    data_dir: Path = Path("var/perigee")
    workers: int | None = None
    """None = as many as the machine has cores."""
    drain: float = 30.0
    """How long exchanges under way may take to end once the node is told to stop."""
    ready_when: ReadyWhen = ReadyWhen.STARTED
    warm_objects: int = 0
    """Stored responses that make it warm."""
    warm_patience: float = 600.0
    """It counts as warm after this in any case."""
    trusted_proxies: tuple[Network, ...] = ()
    """Peers whose X-Forwarded-* and Forwarded are believed."""
    proxy_protocol: tuple[Network, ...] = ()
    """Peers whose connections begin with a PROXY header."""
    limits: Limits = DEFAULT_LIMITS
    memory: MemorySettings = MemorySettings()
    disk: DiskSettings = DiskSettings()
    log: LogSettings = LogSettings()
    resolver: ResolverSettings = ResolverSettings()
    purge: PurgeSettings = PurgeSettings()
    nats: NatsSettings = NatsSettings()
    tier: TierSettings = TierSettings()
    tls: TlsSettings = TlsSettings()
    site_files: tuple[str, ...] = ("sites/*.toml",)
    """Patterns, absolute or relative to the node file."""
    sites: SiteTable = field(default_factory=lambda: NO_SITES)
    file: Path | None = None
    """The node file, None = started with --origin alone."""

    @property
    def place(self) -> NetworkNode | None:
        """Itself in its network; None = it stands alone."""
        if self.network is None:
            return None
        return next(node for node in self.network.nodes if node.name == self.name)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says, as written; it wins over the node file. None = not said."""

    name: str | None = None
    listen: str | None = None
    admin: str | None = None
    data_dir: str | None = None
    workers: str | None = None
    origin: str | None = None
    """Adds a site that takes every host no other site names."""

    def said(self) -> Iterable[tuple[str, str]]:
        """(field name, what was said) of those that were said."""
        for name in ("name", "listen", "admin", "data_dir", "workers", "origin"):
            value: str | None = getattr(self, name)
            if value is not None:
                yield name, value
