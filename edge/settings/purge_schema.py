"""The settings of purges and of the log they stand in. PURE.

Rules: edge.settings.schema. The defaults stand in edge.settings.node and edge.semantics.rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.semantics.rules import DAY, GIB, HOUR, KIB, MIB, OnLogLoss
from edge.settings.address_kinds import FileName, Listen, NetworkRange
from edge.settings.composed import ListOf, Or
from edge.settings.kinds import Choice, Count, Duration, Kind, Name, Size, Text
from edge.settings.node import Durability, PurgeLogKind
from edge.settings.problems import quoted, refused, shown
from edge.settings.schema import Order, Setting

_URL = re.compile(r"(nats|tls)://([A-Za-z0-9\-._]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_MONITOR = re.compile(r"https?://([A-Za-z0-9\-._]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class NatsUrl(Kind[str]):
    """A NATS server."""

    def read(self, value: object) -> str:
        """The URL with its port."""
        found = _URL.fullmatch(value) if isinstance(value, str) and len(value) <= 300 else None
        if found is None or not 0 < int(found.group(3) or 4222) <= 65535:
            raise refused(f"{shown(value)} is no NATS server", f"allowed: {self.allowed()}")
        return f"{found.group(1)}://{found.group(2)}:{found.group(3) or 4222}"

    def allowed(self) -> str:
        """Its form."""
        return 'a URL such as "nats://10.0.0.1:4222" or "tls://nats.example.org"; who we are is said by other settings'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class MonitorUrl(Kind[str]):
    """The monitoring address of a NATS server."""

    def read(self, value: object) -> str:
        """The URL without a path."""
        if not isinstance(value, str) or _MONITOR.fullmatch(value.rstrip("/")) is None:
            raise refused(f"{shown(value)} is no monitoring address", f"allowed: {self.allowed()}")
        return value.rstrip("/")

    def allowed(self) -> str:
        """Its form."""
        return 'a URL such as "http://10.0.0.1:8222"'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


def _file(path: str, why: str) -> Setting:
    return Setting(path, Or("none", None, FileName()), path, why, restart=True)


PURGE = (
    Setting(
        "purge.log",
        Choice(tuple(PurgeLogKind)),
        "purge.log",
        '"nats" keeps purges in a durable log that every node of the network reads. "off": this node takes no purges.',
        restart=True,
    ),
    Setting(
        "purge.listen",
        Or("admin", None, Listen()),
        "purge.listen",
        'Where the purge API is, beside the admin address. "admin": there only. Every request to it is signed, so it may be '
        "on a public address, behind something that speaks TLS.",
        restart=True,
    ),
    _file(
        "purge.keys", 'The folder of the keys that may purge, one file each. "none": keys/ in node.data_dir.'
    ),
    Setting(
        "purge.allow",
        ListOf(NetworkRange(), 1000),
        "purge.allow",
        "Clients that may send PURGE to the public port without a signature, for the hosts of any site; of what comes through "
        "node.trusted_proxies, those that these name.",
    ),
    Setting(
        "purge.max_age",
        Duration(5, HOUR),
        "purge.max_age",
        "How old a signature may be. Its nonce is remembered for as long, so that none is taken twice.",
    ),
    Setting(
        "purge.skew", Duration(0, 300), "purge.skew", "How far the clock of who signs may be ahead of ours."
    ),
    Setting(
        "purge.rate",
        Count(1, 1_000_000),
        "purge.rate",
        "Purged things a second that one site may order through one node; then 429. Ten seconds' worth may come at once.",
    ),
    Setting(
        "purge.max_items", Count(1, 1_000), "purge.max_items", "Things that one purge may name; then 413."
    ),
    Setting(
        "purge.max_body",
        Size(KIB, 4 * MIB),
        "purge.max_body",
        "Bytes of one request to the purge API; then 413.",
    ),
    Setting(
        "purge.max_wait", Duration(0, HOUR), "purge.max_wait", "The longest that ?wait= may hold a request."
    ),
    Setting(
        "purge.keep",
        Count(1_000, 10_000_000),
        "purge.keep",
        "Purged things that each worker remembers one by one, some 300 bytes each. What was stored before the oldest of them "
        "is validated before it is used.",
        restart=True,
    ),
)

NATS = (
    Setting(
        "nats.url",
        ListOf(NatsUrl(), 16, one=True),
        "nats.url",
        "The servers of the purge log, the same for all nodes of a network. Empty: this node starts a server of its own, on "
        "loopback, and purges reach this node only; not for nodes that ask each other.",
        restart=True,
    ),
    _file("nats.credentials", "A .creds file that says who we are to the servers."),
    _file("nats.nkey", "A file with the seed of an NKEY that says who we are to the servers."),
    Setting(
        "nats.token",
        Or("none", None, Text("a token")),
        "nats.token",
        'A token that says who we are to the servers, or { env = "NAME" }.',
        restart=True,
        secret=True,
    ),
    _file("nats.ca_file", 'Who vouches for the servers, as PEM. "none": whom the system trusts.'),
    _file("nats.cert_file", "Our certificate, as PEM, where the servers ask for one."),
    _file("nats.key_file", "Its private key."),
    Setting(
        "nats.prefix",
        Name(32),
        "nats.prefix",
        "The first word of every subject. The same for all nodes of a network; different for networks that share servers.",
        restart=True,
    ),
    Setting("nats.stream", Name(32), "nats.stream", "The name of the stream.", restart=True),
    Setting(
        "nats.domain",
        Or("none", None, Name(32)),
        "nats.domain",
        "The JetStream domain of the servers, for a node behind a leaf node.",
        restart=True,
    ),
    Setting(
        "nats.replicas",
        Or("auto", None, Count(1, 5)),
        "nats.replicas",
        'Servers that keep the log. "auto": 1 for a server of our own, else 3. A stream that has fewer is refused.',
        restart=True,
    ),
    Setting(
        "nats.max_age",
        Duration(HOUR, 365 * DAY),
        "nats.max_age",
        "How long the log keeps purges. A node that was away for longer validates everything it has.",
        restart=True,
    ),
    Setting(
        "nats.max_bytes",
        Size(16 * MIB, 1024 * GIB),
        "nats.max_bytes",
        "The most the log takes.",
        restart=True,
    ),
    Setting(
        "nats.durability",
        Choice(tuple(Durability)),
        "nats.durability",
        '"checked": purges are taken only once every server in nats.monitor was seen to fsync always. "trusted": that is '
        "yours to see to; with the servers' default a power cut loses up to two minutes of purges.",
        restart=True,
    ),
    Setting(
        "nats.monitor",
        ListOf(MonitorUrl(), 16, one=True),
        "nats.monitor",
        "The monitoring addresses of all servers of nats.url, for that check.",
        restart=True,
    ),
    Setting(
        "nats.server",
        Or("auto", None, FileName()),
        "nats.server",
        'The program that is started where nats.url is empty. "auto": nats-server of this Python environment or of PATH.',
        restart=True,
    ),
)

SITE_PURGE = (
    Setting(
        "purge.on_log_loss",
        Choice(tuple(OnLogLoss)),
        "purge.on_log_loss",
        "What a node does that can no longer know of purges. revalidate asks the origin before it uses what is stored, and "
        "stale-if-error still counts; refuse does the same, and answers 502 or 504 where the origin does not answer; serve "
        "goes on as if nothing were.",
    ),
    Setting(
        "purge.log_loss_after",
        Duration(5, DAY),
        "purge.log_loss_after",
        "How long the log may be silent before that. An election among its servers takes up to nine seconds.",
    ),
)

PURGE_ORDERS = (Order("purge.skew", "purge.max_age"),)
PURGE_TABLES = {
    "purge": "Who may purge, and how much at once.",
    "nats": "Where the purge log is.",
}
