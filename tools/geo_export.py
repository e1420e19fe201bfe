"""`perigee geo export`: zone and map files with which PowerDNS or gdnsd give the answers that we would give.

Owns: which formats there are, and writing the files. What is exported is what the network file says: health, loads and drains
that are on their way are not in it, so it is to be made anew when POPs change; the server checks health by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from edge.errors import ConfigFault
from edge.geo.network_view import static_view
from edge.settings.network import Network
from edge.settings.network_file import load_network
from tools.exporting import gdnsd, powerdns
from tools.exporting.classes import Choosing, Class, Range, classes_of
from tools.geo import opened

Maker = Callable[[Network, Sequence[Range], Class], Mapping[str, str | bytes]]

FORMATS: Mapping[str, Maker] = MappingProxyType({"powerdns": powerdns.files, "gdnsd": gdnsd.files})


def run(format: str, config: Path, out: Path) -> int:
    """Write the files of a format into `out`. ConfigFault."""
    maker = FORMATS.get(format)
    if maker is None:
        raise ConfigFault(f"{format!r} is no format; allowed: {', '.join(FORMATS)}")
    network = load_network(config)
    if not network.dns.zones or not network.routes:
        raise ConfigFault(f"{config} has no [[zone]] or no [[route]], so there is nothing to export")
    for zone in network.dns.zones:
        if zone.file is not None:
            raise ConfigFault(
                f"{config}: zone {zone.origin.decode('ascii')} has a zone file, whose records cannot be exported; "
                "write them as [[zone.record]]"
            )
    with opened(network) as (atlas, _):
        choosing = Choosing(atlas, static_view(network), network.routes)
        ranges = list(classes_of(choosing, atlas))
    made = maker(network, ranges, choosing.default())
    try:
        for name, content in made.items():
            file = out / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    except OSError as error:
        raise ConfigFault(f"{out}: {error.strerror or error}") from None
    classes = len({each.choices for each in ranges})
    print(
        f"{len(made)} files in {out}: {len(ranges)} ranges of addresses, {classes} different answers",
        file=sys.stderr,
    )
    return 0
