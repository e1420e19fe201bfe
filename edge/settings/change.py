"""What differs between two settings of a node, and how much of it a running node can take. PURE.

Owns: `Change`, `compare`, `without_restart`, `rolled`. Rules: whether a setting can change without a restart, or needs only
one of the workers, is declared with it (edge.settings.node_schema); sites always can.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from operator import attrgetter

from edge.settings.node import NodeSettings
from edge.settings.node_schema import NODE
from edge.settings.schema import put


@dataclass(frozen=True, slots=True)
class Change:
    """Names of what differs, each in order. sites: by `SiteRules.name`; live, roll, restart: settings of the node file."""

    live: tuple[str, ...]
    roll: tuple[str, ...]
    """Those that count once the workers were replaced."""
    restart: tuple[str, ...]
    """Those that count only after a restart of the node."""
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
        roll=tuple(setting.path for setting in differing if setting.roll),
        restart=tuple(setting.path for setting in differing if setting.restart and not setting.roll),
        sites_added=tuple(sorted(after.keys() - before.keys())),
        sites_removed=tuple(sorted(before.keys() - after.keys())),
        sites_changed=tuple(
            sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
        ),
    )


def without_restart(old: NodeSettings, new: NodeSettings) -> NodeSettings:
    """`new`, but with the old values of what needs a restart of any kind: what is in force from now on."""
    return _with_old(old, new, {s.into for s in NODE.settings.values() if s.restart})


def rolled(old: NodeSettings, new: NodeSettings) -> NodeSettings:
    """`new`, but with the old values of what needs a restart of the node: what is in force once workers were replaced."""
    return _with_old(old, new, {s.into for s in NODE.settings.values() if s.restart and not s.roll})


def _with_old(old: NodeSettings, new: NodeSettings, names: Collection[str]) -> NodeSettings:
    kept = {into: _value(old, into) for into in names}
    network = new.network if new.network_file == old.network_file else old.network
    return replace(put(new, kept), file=old.file, network=network)


def _value(settings: NodeSettings, into: str) -> object:
    value: object = attrgetter(into)(settings)
    return value
