"""The settings of a node.

Owns: every setting of a node file but those of sites. Rules: edge.settings.schema; the defaults stand in
edge.settings.node and edge.wire.limits.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.log import Form
from edge.semantics.rules import DAY, GIB, HOUR, KIB, MIB
from edge.settings.address_kinds import FileName, Listen, NameserverAddress, NetworkRange
from edge.settings.composed import ListOf, Or
from edge.settings.kinds import Choice, Count, Duration, Flag, Kind, Name, Size, nearest
from edge.settings.limit_schema import LIMIT_ORDERS, LIMITS
from edge.settings.log_format import NAMES, BadFormat, pieces
from edge.settings.node import LogLevel, LogTarget, NodeSettings, ReadyWhen
from edge.settings.problems import quoted, refused, shown
from edge.settings.purge_schema import NATS, PURGE, PURGE_ORDERS, PURGE_TABLES
from edge.settings.schema import Order, Schema, Setting
from edge.settings.tier_schema import TIER, TIER_TABLES
from edge.settings.tls_schema import TLS, TLS_TABLES

_FORMATS = ("combined", "json")

MAX_FORMAT = 2_000
"""Characters; every name there is, with labels, is a fifth of it."""


@dataclass(frozen=True, slots=True)
class AccessFormat(Kind[str]):
    """The form of an access log line."""

    def read(self, value: object) -> str:
        """A known form's word, or a format; a format has a name in it, else it is a slip for a word."""
        text = value if isinstance(value, str) else ""
        if text in _FORMATS:
            return text
        if "{" not in text or len(text) > MAX_FORMAT or not text.isprintable():
            hint = nearest(text, list(_FORMATS))
            raise refused(f"{shown(value)} is no format", f"{hint}allowed: {self.allowed()}")
        try:
            pieces(text)
        except BadFormat as fault:
            wrong, _, instead = str(fault).partition("; ")
            raise refused(wrong, instead) from None
        return text

    def allowed(self) -> str:
        """Its form."""
        return (
            f'"combined", "json", or a line of up to {MAX_FORMAT} characters with names in it: '
            + ", ".join(f"{{{name}}}" for name in NAMES)
        )

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


_NODE = (
    Setting(
        "sites",
        ListOf(FileName(), 20, one=True),
        "site_files",
        "Site files, as paths or patterns. A new file is found without a restart.",
    ),
    Setting(
        "node.name",
        Name(64),
        "name",
        "In Cache-Status, Via, logs and metrics; different for every node, so that loops are told from chains.",
        restart=True,
    ),
    Setting(
        "node.region",
        Name(64),
        "region",
        "Where this node is: a purge may wait for the nodes of one region. Of a node of a network it need not be written: the "
        "network file says it.",
        restart=True,
    ),
    Setting(
        "node.network",
        Or("none", None, FileName()),
        "network_file",
        "The network file, where this node is one of a network and node.name is a [[node]] there. It is what redirects to the "
        "nearest edge and countries in keys are made from.",
        restart=True,
    ),
    Setting(
        "node.listen",
        ListOf(Listen(), 16, 1, one=True),
        "listen",
        "Where clients are served. The default serves this machine only.",
        restart=True,
    ),
    Setting(
        "node.admin",
        Or("off", None, Listen()),
        "admin",
        "Where metrics, health and the admin API are. It has no password: keep it off public addresses.",
        restart=True,
    ),
    Setting(
        "node.data_dir",
        FileName(),
        "data_dir",
        "The folder of the disk tier and of everything else that is kept. The default is below the working folder.",
        restart=True,
    ),
    Setting(
        "node.workers",
        Or("auto", None, Count(1, 256)),
        "workers",
        'Processes that serve, each with a memory tier of its own. "auto" is one per core.',
        restart=True,
    ),
    Setting(
        "node.drain",
        Duration(0, HOUR),
        "drain",
        "How long requests under way may take to end after SIGTERM; what is left then is cut. Give whoever kills the "
        "process (systemd, a container's runtime) a longer patience.",
    ),
    Setting(
        "node.ready_when",
        Choice(tuple(ReadyWhen)),
        "ready_when",
        'When /readyz says 200, and DNS sends clients: "started", as soon as the workers serve and have read the purge log; '
        '"warm", when as much is stored besides as node.warm_objects says. `perigee warm` fills a node that is not ready.',
    ),
    Setting(
        "node.warm_objects",
        Count(0, 1_000_000_000),
        "warm_objects",
        "Stored responses, on disk or in memory, from which the node is warm. 0: it is from the start.",
    ),
    Setting(
        "node.warm_patience",
        Duration(0, DAY),
        "warm_patience",
        "The node counts as warm after this in any case: one that nobody asks never fills.",
    ),
    Setting(
        "node.trusted_proxies",
        ListOf(NetworkRange(), 1000),
        "trusted_proxies",
        "Peers whose Forwarded and X-Forwarded-* are believed; those of all others are dropped.",
    ),
    Setting(
        "node.proxy_protocol",
        ListOf(NetworkRange(), 1000),
        "proxy_protocol",
        "Peers whose connections begin with a PROXY header, version 1 or 2, that says who the client is. They must send one; "
        "from all others it is a malformed request.",
    ),
)

_STORES = (
    Setting(
        "memory.capacity",
        Size(MIB, 1024 * GIB),
        "memory.capacity",
        "The most the memory tier of one worker holds, with its bookkeeping.",
        restart=True,
        roll=True,
    ),
    Setting(
        "memory.max_object",
        Size(KIB, 64 * GIB),
        "memory.max_object",
        "Larger bodies are on disk only, so that one download does not push out thousands of pages.",
        restart=True,
        roll=True,
    ),
    Setting(
        "disk.capacity",
        Or("off", None, Size(MIB, 1024 * 1024 * GIB)),
        "disk.capacity",
        'The most the disk tier holds. "off": nothing is kept on disk, and a restart starts empty.',
        restart=True,
        roll=True,
    ),
    Setting(
        "disk.inline",
        Size(0, MIB),
        "disk.inline",
        "Bodies up to this stand in the database itself, which is faster for small ones.",
        restart=True,
        roll=True,
    ),
    Setting(
        "disk.fsync",
        Flag(),
        "disk.fsync",
        "Whether a body is flushed before it counts as stored. False can lose what was stored shortly before a power cut; "
        "what is damaged is noticed and fetched again in either case.",
        restart=True,
        roll=True,
    ),
    Setting(
        "disk.min_hits",
        Count(0, 1),
        "disk.min_hits",
        "0 keeps everything on disk, 1 only what was asked for a second time: fewer writes, fewer hits after a restart.",
    ),
)

_LOG = (
    Setting(
        "log.access",
        Or("stdout", LogTarget.STDOUT, Or("off", LogTarget.OFF, FileName())),
        "log.access",
        "Where a line for each request goes.",
    ),
    Setting(
        "log.format",
        AccessFormat(),
        "log.format",
        "combined is Apache's, for any analyser; json has everything, the decision and its reason too.",
    ),
    Setting(
        "log.level", Choice(tuple(LogLevel)), "log.level", "The least that is written to standard error."
    ),
    Setting(
        "log.form",
        Choice(tuple(Form)),
        "log.form",
        "How those lines look: for people, or one JSON object each.",
    ),
)

_RESOLVER = (
    Setting(
        "resolver.nameservers",
        ListOf(NameserverAddress(), 8),
        "resolver.nameservers",
        "Who is asked for the addresses of origins. Empty: those of the system.",
        restart=True,
        roll=True,
    ),
    Setting(
        "resolver.min_ttl",
        Duration(0, HOUR),
        "resolver.min_ttl",
        "Answers are kept for at least this, so that a TTL of 0 does not cost a query per fetch.",
        restart=True,
        roll=True,
    ),
    Setting(
        "resolver.max_ttl",
        Duration(1, 7 * DAY),
        "resolver.max_ttl",
        "Answers are kept for at most this, so that an origin that moved is found.",
        restart=True,
        roll=True,
    ),
)

NODE: Schema[NodeSettings] = Schema(
    NodeSettings(),
    (*_NODE, *LIMITS, *_STORES, *_LOG, *_RESOLVER, *PURGE, *NATS, *TIER, *TLS),
    tables={
        "": "Where the sites are.",
        "node": "What this node is.",
        "limits": "The bound of everything that comes from outside. Each has a counter of the same name in "
        "`perigee_bound_reached_total`.",
        "memory": "The memory tier.",
        "disk": "The disk tier.",
        "log": "What is written down.",
        "resolver": "How the names of origins become addresses.",
        **PURGE_TABLES,
        **TIER_TABLES,
        **TLS_TABLES,
    },
    orders=(
        *LIMIT_ORDERS,
        Order("memory.max_object", "memory.capacity"),
        Order("disk.inline", "disk.capacity"),
        Order("resolver.min_ttl", "resolver.max_ttl"),
        *PURGE_ORDERS,
    ),
)

SITE_ARRAY = "site"
"""The array of tables in which a node file may have whole sites: `[[site]]`."""
