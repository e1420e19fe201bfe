"""That what the log acknowledges is kept: the stream as it has to be, and servers that fsync.

Owns: `make_durable`, which the supervisor calls before it takes purges. Rules: the stream is made where it is absent, by
whichever node comes first; what differs from what purges need is refused, with the setting to change or the command to
give; retention that differs is only told, since nothing depends on it but how long a node may be away. NATS fsyncs every
two minutes by default, and then a power cut loses what was acknowledged: so each server that keeps the stream is asked
for its settings (/varz), unless `nats.durability = "trusted"`. A server of our own is configured by us.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.bus.embedded import is_recent
from edge.bus.faults import ApiFault, BusFault
from edge.clock import Clock
from edge.errors import ConfigFault
from edge.semantics.purge_order import MAX_BYTES
from edge.settings.node import Durability, NatsSettings

DEDUPE_SECONDS = 120
"""How long the stream knows the ids it has stored: each costs a server 0.8 KB, and a retry comes within seconds."""

ASK_SECONDS = 1.0
AGAIN_SECONDS = 0.25
MAX_VARZ_BYTES = 4 * 1024 * 1024

NO_SUCH_STREAM = 10059
OTHER_CONFIGURATION = 10058
TOO_FEW_SERVERS = frozenset((10005, 10074))
SUBJECTS_OVERLAP = 10065
_NANO = 1_000_000_000
_log = logging.getLogger("perigee.bus")


async def make_durable(bus: Bus, settings: NatsSettings, clock: Clock, *, within: float = 15.0) -> None:
    """Make or check the stream, then check its servers. ConfigFault when they are not as they have to be; BusFault when
    nobody could say within that many seconds (an election takes up to nine).
    """
    deadline = clock.mono() + within
    await bus.connected(within)
    if not is_recent(bus.server_version):
        raise ConfigFault(
            f"nats.url: {bus.server} runs nats-server {bus.server_version}; 2.11 or later is needed"
        )
    info = await _stream(bus, deadline, clock)
    problems = list(problems_of(info.get("config", {}), bus.address))
    if problems:
        raise ConfigFault("\n".join(problems))
    await _retention(bus, info.get("config", {}))
    if not bus.address.is_own and settings.durability is Durability.CHECKED:
        await _check_servers(settings.monitor, keepers_of(info), bus.address.stream)


def configuration_of(address: BusAddress) -> dict[str, Any]:
    """The stream, as JetStream wants to be told."""
    return {
        "name": address.stream,
        "description": "The purge log of a Perigee network",
        "subjects": [address.log_subjects],
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "num_replicas": address.replicas,
        "max_age": int(address.max_age * _NANO),
        "max_bytes": address.max_bytes,
        "max_msg_size": MAX_BYTES,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_consumers": -1,
        "duplicate_window": DEDUPE_SECONDS * _NANO,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": True,
        "republish": {"src": address.log_subjects, "dest": address.live_subjects},
    }


def problems_of(found: Mapping[str, Any], address: BusAddress) -> Iterable[str]:
    """What is wrong with a stream that is there, each with what to do."""
    wanted = configuration_of(address)
    name = address.stream
    other = f"give Perigee a stream of its own by nats.stream and nats.prefix, or remove this one: nats stream rm {name}"
    for what in (
        "subjects",
        "retention",
        "storage",
        "discard",
        "republish",
        "max_msgs",
        "max_msgs_per_subject",
    ):
        if found.get(what, wanted[what] if what.startswith("max") else None) != wanted[what]:
            yield f"nats.stream: {what} of the stream {name} is {found.get(what)!r}, not {wanted[what]!r}; {other}"
    replicas = int(found.get("num_replicas", 1))
    if replicas < address.replicas:
        yield (
            f"nats.replicas: the stream {name} is kept by {replicas} of the servers, not by {address.replicas}; either: "
            f"nats stream edit {name} --replicas={address.replicas}, or: nats.replicas = {replicas}"
        )
    if not found.get("allow_direct"):
        yield f"nats.stream: the stream {name} does not allow direct reads; nats stream edit {name} --allow-direct"
    for what in ("deny_delete", "deny_purge"):
        if not found.get(what):
            yield f"nats.stream: purges could be taken out of the stream {name}, it lacks {what}; {other}"
    largest = int(found.get("max_msg_size", -1))
    if 0 <= largest < MAX_BYTES:
        yield (
            f"nats.stream: the stream {name} takes {largest} bytes a message, not {MAX_BYTES}; "
            f"nats stream edit {name} --max-msg-size={MAX_BYTES}"
        )
    if int(found.get("duplicate_window", 0)) < DEDUPE_SECONDS * _NANO:
        yield (
            f"nats.stream: the stream {name} knows what it has stored for less than {DEDUPE_SECONDS} s; "
            f"nats stream edit {name} --dupe-window={DEDUPE_SECONDS}s"
        )


def keepers_of(info: Mapping[str, Any]) -> frozenset[str]:
    """The names of the servers that keep the stream."""
    cluster = info.get("cluster") or {}
    names = [cluster.get("leader"), *[each.get("name") for each in cluster.get("replicas") or ()]]
    return frozenset(str(name) for name in names if name)


def problems_of_server(url: str, varz: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with a server. varz: what its monitoring address says."""
    jetstream = (varz.get("jetstream") or {}).get("config")
    if not jetstream:
        yield f"nats.monitor: the server at {url} has no JetStream; name those that keep the purge log"
    elif jetstream.get("sync_always") is not True:
        yield (
            f"nats.durability: the server {varz.get('server_name')} at {url} fsyncs now and then only, so that a power cut "
            'loses purges that it acknowledged; write sync_interval: "always" into its jetstream { }, or '
            'nats.durability = "trusted"'
        )


async def _stream(bus: Bus, deadline: float, clock: Clock) -> Mapping[str, Any]:
    """Its STREAM.INFO; made if it is absent."""
    name = bus.address.stream
    while True:
        try:
            return await _info_or_made(bus, name)
        except ApiFault as fault:
            if fault.err_code in TOO_FEW_SERVERS:
                raise ConfigFault(
                    f"nats.replicas: the servers cannot keep {bus.address.replicas} copies of the purge log "
                    f"({fault.detail}); nats.replicas = 1 for a single server"
                ) from fault
            if fault.err_code == SUBJECTS_OVERLAP:
                raise ConfigFault(
                    f"nats.prefix: another stream has {bus.address.log_subjects} already ({fault.detail}); give this "
                    "network another nats.prefix, or the nats.stream of the others"
                ) from fault
            if fault.code < 500 or clock.mono() > deadline:
                raise
        except BusFault:
            if clock.mono() > deadline:
                raise
        await asyncio.sleep(AGAIN_SECONDS)


async def _info_or_made(bus: Bus, name: str) -> Mapping[str, Any]:
    try:
        return await bus.api(f"STREAM.INFO.{name}", within=ASK_SECONDS)
    except ApiFault as fault:
        if fault.err_code != NO_SUCH_STREAM:
            raise
    try:
        await bus.api(f"STREAM.CREATE.{name}", configuration_of(bus.address), within=ASK_SECONDS)
        _log.info("the purge log was made", extra={"stream": name, "replicas": bus.address.replicas})
    except ApiFault as fault:
        if (
            fault.err_code != OTHER_CONFIGURATION
        ):  # another node was first; what it made is looked at like any other
            raise
    return await bus.api(f"STREAM.INFO.{name}", within=ASK_SECONDS)


async def _retention(bus: Bus, found: Mapping[str, Any]) -> None:
    wanted = configuration_of(bus.address)
    differing = [what for what in ("max_age", "max_bytes") if found.get(what) != wanted[what]]
    if not differing:
        return
    if bus.address.is_own:
        changed = {**found, **{what: wanted[what] for what in differing}}
        await bus.api(f"STREAM.UPDATE.{bus.address.stream}", changed, within=ASK_SECONDS)
        return
    for what in differing:
        extra = {"setting": f"nats.{what}", "stream": found.get(what), "ours": wanted[what]}
        _log.warning("the purge log keeps purges for another time than this node was told", extra=extra)


async def _check_servers(monitors: Iterable[str], keepers: frozenset[str], stream: str) -> None:
    urls = list(monitors)
    if not urls:
        raise ConfigFault(
            "nats.monitor: nobody says whether the servers of nats.url fsync always; name the monitoring address of each, "
            'as in nats.monitor = ["http://10.0.0.1:8222"], or write nats.durability = "trusted"'
        )
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        said = await asyncio.gather(*[_varz(session, url) for url in urls])
    problems = [
        problem for url, varz in zip(urls, said, strict=True) for problem in problems_of_server(url, varz)
    ]
    unseen = sorted(keepers - {str(varz.get("server_name")) for varz in said})
    if unseen:
        problems.append(
            f"nats.monitor: the stream {stream} is kept by {', '.join(unseen)} too, and nobody says whether it fsyncs "
            "always; add the monitoring address of each"
        )
    if problems:
        raise ConfigFault("\n".join(problems))


async def _varz(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    try:
        async with session.get(f"{url}/varz", allow_redirects=False) as response:
            data = bytearray()
            async for part in response.content.iter_any():
                data += part
                if len(data) > MAX_VARZ_BYTES:
                    break
            said = json.loads(data) if response.status == 200 else None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        detail = str(error) or type(error).__name__
        raise BusFault(f"nats.monitor: {url} does not say how its server is set up: {detail}") from error
    if not isinstance(said, dict):
        raise BusFault(f"nats.monitor: {url}/varz is not what a nats-server says")
    return said
