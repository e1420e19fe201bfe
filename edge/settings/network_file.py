"""From a network file to `Network`.

Owns: `load_network`, `check_network`, `is_network`. Rules: every value is read, whatever is wrong with others, and
all problems are raised as one `SettingsFault`; whether the whole holds together (edge.settings.topology) is looked at once
every value by itself is right, so that one slip is not said five times. Paths are meant from the file. This blocks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.settings.bus_schema import nats_in_folder
from edge.settings.dns import Zone
from edge.settings.document import MAX_FILE_BYTES, Document, names_at_top, parse, read_table
from edge.settings.elements import array_of_tables, read_element
from edge.settings.network import Network
from edge.settings.network_schema import NETWORK, NETWORK_NODE, POP, REGION, ROUTE
from edge.settings.node_schema import NODE
from edge.settings.problems import Problem, SettingsFault
from edge.settings.schema import Schema
from edge.settings.site_schema import SITE
from edge.settings.topology import disorders
from edge.settings.zone_file import read_zone

ARRAYS = ("region", "pop", "node", "route", "zone")
"""Names of the arrays of tables in a network file."""


def load_network(file: Path, *, env: Mapping[str, str] | None = None) -> Network:
    """The network in a file. Raises SettingsFault with every problem.

    env: where { env = "NAME" } is looked up, None = the process's environment.
    """
    network, problems = check_network(file, env=env)
    if problems:
        raise SettingsFault(problems)
    return network


def check_network(file: Path, *, env: Mapping[str, str] | None = None) -> tuple[Network, tuple[Problem, ...]]:
    """The network in a file, to be used only where nothing is wrong, and everything that is."""
    name = str(file)
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
            changed = int(os.fstat(opened.fileno()).st_mtime)
        document = parse(name, content)
    except OSError as error:
        wrong = f"the file cannot be read: {error.strerror or error}"
        return Network(), (Problem(name, None, "", wrong, "name a file that is there and may be read"),)
    except SettingsFault as fault:
        return Network(), fault.problems
    network, problems = read_network(
        document,
        env=os.environ if env is None else env,  # noqa: TID251  # settings come from here
        folder=file.parent,
        changed=changed,
    )
    return replace(network, file=file), problems


def is_network(document: Mapping[str, object]) -> bool:
    """Whether what a file says is a network rather than a node or a site: by the names at its top."""
    if isinstance(document.get("node"), list):  # a node file has a table of that name
        return True
    here = names_at_top(document, NETWORK) + sum(name in document for name in ARRAYS if name != "node")
    return here > max(names_at_top(document, NODE), names_at_top(document, SITE))


def read_network(
    document: Document, *, env: Mapping[str, str], folder: Path, changed: int
) -> tuple[Network, tuple[Problem, ...]]:
    """As `check_network`, of a document. folder: of the file. changed: unix seconds, for serials of zones."""
    written = read_table(document, document.table, NETWORK, env=env, besides=frozenset(ARRAYS))
    problems = written.problems
    values, _ = NETWORK.settle(written.values)
    network = NETWORK.build(values)
    network = replace(
        network,
        regions=_elements(document, "region", REGION, env, problems),
        pops=_elements(document, "pop", POP, env, problems),
        nodes=_elements(document, "node", NETWORK_NODE, env, problems),
        routes=_elements(document, "route", ROUTE, env, problems),
        geo=replace(network.geo, databases=tuple(folder / name for name in network.geo.databases)),
        nats=nats_in_folder(network.nats, folder),
        dns=replace(
            network.dns,
            log=None if network.dns.log is None else folder / network.dns.log,
            zones=tuple(
                _beside(
                    folder, read_zone(document, table, base=base, env=env, changed=changed, into=problems)
                )
                for base, table in array_of_tables(document, document.table, "zone", into=problems)
            ),
        ),
    )
    if not problems:
        problems += disorders(document, network)
    return network, tuple(sorted(problems, key=lambda problem: problem.line or 0))


def _elements(
    document: Document, name: str, schema: Schema[Any], env: Mapping[str, str], problems: list[Problem]
) -> tuple[Any, ...]:
    return tuple(
        schema.build(read_element(document, table, schema, base=base, env=env, into=problems))
        for base, table in array_of_tables(document, document.table, name, into=problems)
    )


def _beside(folder: Path, zone: Zone) -> Zone:
    """The same; its zone file is meant from the network file."""
    return zone if zone.file is None else replace(zone, file=folder / zone.file)
