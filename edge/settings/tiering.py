"""What a node needs to be one among others. PURE.

Owns: `unfit`. Rules: nodes know each other by a secret; a node that others ask listens for them; all read the same purge log,
or none: what was stored by another log's positions is never served to who asks by its own, so that a tier would store
for nobody. Whether others ask it, its network says (edge.settings.network), or else its own tier.listen.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.settings.document import Document
from edge.settings.network import Network, Role, tiers_of
from edge.settings.node import NodeSettings, PurgeLogKind
from edge.settings.problems import Problem, quoted


def unfit(settings: NodeSettings, document: Document) -> Iterator[Problem]:
    """What is missing. document: the node file."""
    tier = settings.tier
    is_asked = _is_asked(settings)
    is_among_others = tier.listen or tier.shields or is_asked or _asks(settings)
    if is_among_others and not tier.secrets and not _says_secrets(document):
        wrong = "nodes know each other by a secret, and there is none"
        yield document.problem(("tier", "secrets"), wrong, 'write [{ env = "PERIGEE_TIER_SECRET" }]')
    if is_asked and tier.listen is None:
        wrong = f"{settings.network_file} has other nodes ask {quoted(settings.name)}, and it listens nowhere for them"
        yield document.problem(("tier", "listen"), wrong, "write the address of this machine that they reach")
    if is_among_others and settings.purge.log is PurgeLogKind.NATS and not settings.nats.url:
        wrong = "nodes that ask each other read one purge log, and without a server named this one keeps a log of its own"
        instead = 'write the servers, the same on all nodes; or, where nothing is ever purged, purge.log = "off" on all'
        yield document.problem(("nats", "url"), wrong, instead)


def _says_secrets(document: Document) -> bool:
    """Whether some are written: what is wrong with them is said already."""
    said = document.table.get("tier")
    return isinstance(said, dict) and bool(said.get("secrets"))


def _is_asked(settings: NodeSettings) -> bool:
    """Whether nodes of its network ask it."""
    network, place = settings.network, settings.place
    if network is None or place is None:
        return False
    return place.role is Role.SHIELD or _shares(network, place.pop)


def _asks(settings: NodeSettings) -> bool:
    """Whether it asks nodes of its network."""
    network, place = settings.network, settings.place
    if network is None or place is None:
        return False
    region = network.region_of(place)
    routes = (None, *network.routes)
    return _shares(network, place.pop) or any(tiers_of(network, region, route) for route in routes)


def _shares(network: Network, pop: str) -> bool:
    found = network.pop(pop)
    return found is not None and found.siblings
