"""What `perigee dns` was told, and how it becomes a network: the same in its supervisor and in every worker.

Owns: `DnsCommand`, `keep_content` and `kept_content`. Rules: what crosses to a worker is the command line and what stood in
the network file, and both make settings of it by the same code: a worker that is started while the file is half written has
the settings in force. What the file says is taken only where zones can be made of it, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

from edge.errors import ConfigFault
from edge.geo.dns.zone import BadZone
from edge.geo.dns.zones import zones_of
from edge.server.run_dir import write_kept
from edge.settings.address_kinds import Listen
from edge.settings.composed import Or
from edge.settings.document import MAX_FILE_BYTES, parse
from edge.settings.kinds import Count, Kind
from edge.settings.network import Network
from edge.settings.network_file import read_network
from edge.settings.problems import Refused, SettingsFault

T = TypeVar("T")


MAX_ZONE_BYTES = 16 * 1024 * 1024
"""Of one zone file: a quarter of a million records, which take half a minute to read."""


@dataclass(frozen=True, slots=True)
class Content:
    """What stood in the network file, and in zone files that it names, by path. changed: unix seconds, the last of them."""

    octets: bytes
    changed: int
    zone_files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DnsCommand:
    """listen, admin, workers: as written, instead of what the file says; None = as the file says."""

    config: str
    data_dir: str
    listen: str | None = None
    admin: str | None = None
    workers: str | None = None
    level: str = "info"
    form: str = "text"

    def content(self) -> Content:
        """What stands in the files now. Blocks. Raises ConfigFault."""
        octets, changed = _read_file(Path(self.config), "network", MAX_FILE_BYTES)
        files: dict[str, str] = {}
        for zone in self._network(Content(octets, changed)).dns.zones:
            if zone.file is not None:
                text, at = _read_file(zone.file, "zone", MAX_ZONE_BYTES)
                files[str(zone.file)] = text.decode("utf-8", "replace")
                changed = max(changed, at)
        return Content(octets, changed, files)

    def network(self, content: Content) -> Network:
        """Raises SettingsFault with every problem, ConfigFault where the zones contradict themselves."""
        network = self._overridden(self._network(content))
        if not network.dns.zones:
            raise ConfigFault(
                f"{self.config}: there is no zone to answer from; write [[zone]] with its origin and ns"
            )
        try:
            zones_of(network)
        except BadZone as fault:
            raise ConfigFault(f"{self.config}: {fault}") from None
        return network

    def _network(self, content: Content) -> Network:
        """As the files say it."""
        file = Path(self.config)
        document = parse(self.config, content.octets)
        network, problems = read_network(
            document,
            env=os.environ,  # noqa: TID251  # settings come from here
            folder=file.parent,
            changed=content.changed,
        )
        if problems:
            raise SettingsFault(problems)
        zones = tuple(
            replace(zone, text=content.zone_files.get(str(zone.file), "")) for zone in network.dns.zones
        )
        return replace(network, file=file, dns=replace(network.dns, zones=zones))

    def _overridden(self, network: Network) -> Network:
        dns = network.dns
        if self.listen is not None:
            dns = replace(dns, listen=(_read("--listen", Listen(), self.listen),))
        if self.admin is not None:
            dns = replace(dns, admin=_read("--admin", Or("off", None, Listen()), self.admin))
        if self.workers is not None:
            said = int(self.workers) if self.workers.isdecimal() else self.workers
            dns = replace(dns, workers=_read("--workers", Or("auto", None, Count(1, 256)), said))
        return replace(network, dns=dns)

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> DnsCommand:
        """What `as_json` gave, among other things."""
        values = {each.name: said[each.name] for each in fields(cls)}
        return cls(**{name: None if value is None else str(value) for name, value in values.items()})  # type: ignore[arg-type]  # the names are its own


def _read_file(file: Path, what: str, limit: int) -> tuple[bytes, int]:
    """Its octets, one more than `limit` at most where it is longer, and when it was changed. Raises ConfigFault."""
    try:
        with file.open("rb") as opened:
            octets, changed = opened.read(limit + 1), int(os.fstat(opened.fileno()).st_mtime)
    except OSError as error:
        raise ConfigFault(
            f"{file}: the {what} file cannot be read: {error.strerror or error}; "
            "name one that is there and may be read"
        ) from None
    if len(octets) > limit:
        raise ConfigFault(f"{file}: the {what} file is longer than {limit} bytes; divide it")
    return octets, changed


def keep_content(content: Content, file: Path) -> None:
    """For `kept_content` of another process of this user. Blocks. OSError."""
    write_kept({**asdict(content), "octets": content.octets.decode("latin-1")}, file)


def kept_content(file: Path) -> Content:
    """What `keep_content` kept last. Blocks. OSError."""
    said = json.loads(file.read_text())
    return Content(said["octets"].encode("latin-1"), said["changed"], said["zone_files"])


def _read(option: str, kind: Kind[T], said: object) -> T:
    try:
        return kind.read(said)
    except Refused as refusal:
        fault = refusal.faults[0]
        raise ConfigFault(f"command line: {option}: {fault.wrong}; {fault.instead}") from None
