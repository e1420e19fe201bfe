"""Where a network's DNS servers and redirecting edges hear of nodes and of each other: `[nats]` of a network file.

Owns: that part of the settings of `[nats]` which says where the servers are and who we are there, and `nats_in_folder`. What
a node file says of the purge log that they keep has no place in a network file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.settings.node import NatsSettings
from edge.settings.purge_schema import NATS

_WHERE = ("url", "credentials", "nkey", "token", "ca_file", "cert_file", "key_file", "prefix")
_WHY = {
    "nats.url": "The servers that nodes say on how they are, the same as in node files. DNS servers hear it there, tell each "
    "other what their checks saw, and pass on drains. Empty: each goes by its own checks.",
}

BUS = tuple(
    replace(setting, why=_WHY.get(setting.path, setting.why))
    for setting in NATS
    if setting.path.removeprefix("nats.") in _WHERE
)
BUS_TABLES = {"nats": "Where nodes and DNS servers hear of each other."}


def nats_in_folder(nats: NatsSettings, folder: Path) -> NatsSettings:
    """The files that settings of the bus name, meant from `folder`."""
    files = {
        name: folder / said
        for name in ("credentials", "nkey", "ca_file", "cert_file", "key_file", "server")
        if (said := getattr(nats, name)) is not None
    }
    return replace(nats, **files)
