"""What differs between two settings of a node, and how much of it a running node can take. PURE.

Owns: `Change`, `compare`, `without_restart`. Rules: whether a setting can change without a restart is declared with it
(edge.settings.node_schema); sites always can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter

from edge.settings.node import NodeSettings
from edge.settings.node_schema import NODE
from edge.settings.schema import put


@dataclass(frozen=True, slots=True)
class Change:
    """Names of what differs, each in order. sites: by `SiteRules.name`; live and restart: settings of the node file."""

    live: tuple[str, ...]
    restart: tuple[str, ...]
    """Those that count only after a restart."""
    sites_added: tuple[str, ...]
    sites_removed: tuple[str, ...]
    sites_changed: tuple[str, ...]


def compare(old: NodeSettings, new: NodeSettings) -> Change:
    """What is different in `new`."""
    differing = [
        setting
        for setting in NODE.settings.values()
        if _value(old, setting.into) != _value(new, setting.into)
    ]
    before = {site.name: site for site in old.sites}
    after = {site.name: site for site in new.sites}
    return Change(
        live=tuple(setting.path for setting in differing if not setting.restart),
        restart=tuple(setting.path for setting in differing if setting.restart),
        sites_added=tuple(sorted(after.keys() - before.keys())),
        sites_removed=tuple(sorted(before.keys() - after.keys())),
        sites_changed=tuple(
            sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
        ),
    )


def without_restart(old: NodeSettings, new: NodeSettings) -> NodeSettings:
    """`new`, but with the old values of what needs a restart: what is in force from now on."""
    kept = {s.into: _value(old, s.into) for s in NODE.settings.values() if s.restart}
    network = new.network if new.network_file == old.network_file else old.network
    return replace(put(new, kept), file=old.file, network=network)


def _value(settings: NodeSettings, into: str) -> object:
    value: object = attrgetter(into)(settings)
    return value
