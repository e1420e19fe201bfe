"""The generated pages of docs/reference: what the code declares, as tables.

Owns: which pages there are and how each is made. `make reference` writes them; a test fails when one is not up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.render import SENTENCE as ANSWER_SENTENCE
from edge.geo.dns.render import AnswerReason
from edge.geo.measures import LeadMeasures, WatchMeasures
from edge.geo.placement import SENTENCE as PLACEMENT_SENTENCE
from edge.geo.placement import PlacementReason
from edge.measures import Measures
from edge.purge.declined import SAID
from edge.purge.desk_measures import DeskMeasures
from edge.purge.signing.faults import SENTENCE as SIGNATURE_SENTENCE
from edge.purge.signing.faults import Refused, SignatureFault
from edge.purge.signing.key_schema import KEY
from edge.semantics.reasons import SENTENCE, Because
from edge.settings.composed import Or
from edge.settings.dns_schema import RECORD, ZONE
from edge.settings.network_schema import NETWORK, NETWORK_NODE, POP, REGION, ROUTE
from edge.settings.node_schema import NODE
from edge.settings.schema import Schema, Setting
from edge.settings.site_schema import SITE
from edge.tls.measures import CertificateMeasures, TlsMeasures
from origin_shield.measures import OriginMeasures
from origin_shield.shield_measures import ShieldMeasures

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would break a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n"
        for line in lines
    )


def _page(title: str, source: str, about: str, body: str) -> str:
    return f"# {title}\n\n<!-- Generated from {source} by `make reference`; do not edit. -->\n\n{about}\n\n{body}"


def metrics() -> str:
    """Every metric of a node."""
    registry = Measures().registry
    DeskMeasures(registry)
    OriginMeasures(registry)
    ShieldMeasures(registry)
    WatchMeasures(registry)
    LeadMeasures(registry)
    TlsMeasures(registry)
    CertificateMeasures(registry)
    rows = [
        (
            f"`{said.name}`",
            said.kind.value,
            said.unit,
            ", ".join(f"`{label}`" for label in said.labels),
            said.help,
        )
        for said in registry.declarations()
    ]
    about = (
        "What `/metrics` on the admin port shows, in Prometheus's text format, for all workers of a node as one.\n"
        "Label values come from closed sets: configured sites and origins, and the words of [reasons](reasons.md)."
    )
    return _page(
        "Metrics",
        "edge/measures.py, edge/geo/measures.py, edge/purge/desk_measures.py, edge/tls/measures.py "
        "and origin_shield's *measures.py",
        about,
        table(("metric", "kind", "unit", "labels", "meaning"), rows),
    )


def reasons() -> str:
    """Every reason that a decision can have."""
    about = "The word stands in `Cache-Status` (as `detail`), in the access log, in metrics, and in `perigee explain`."
    rows = [(f"`{because.value}`", SENTENCE[because]) for because in Because]
    return _page("Reasons", "edge/semantics/reasons.py", about, table(("reason", "meaning"), rows))


def dns_server() -> str:
    """What the DNS server counts, and why it answers as it does."""
    metric_rows = [
        (
            f"`{said.name}`",
            said.kind.value,
            ", ".join(f"`{label}`" for label in said.labels),
            said.help,
        )
        for said in DnsMeasures().registry.declarations()
    ]
    answers = [(f"`{reason.value}`", ANSWER_SENTENCE[reason]) for reason in AnswerReason]
    placements = [(f"`{reason.value}`", PLACEMENT_SENTENCE[reason]) for reason in PlacementReason]
    about = (
        "What `/metrics` on the admin address of `perigee dns` shows, for all workers as one, and the words in its labels and\n"
        "in the routing log (`dns.log`): `rtype` is the reason of an answer, `rdtl` are those of placement."
    )
    body = (
        f"## Metrics\n\n{table(('metric', 'kind', 'labels', 'meaning'), metric_rows)}\n"
        f"## Answers\n\n{table(('reason', 'meaning'), answers)}\n"
        f"## Placement\n\n{table(('reason', 'meaning'), placements)}"
    )
    source = "edge/geo/dns/measures.py, edge/geo/dns/render.py and edge/geo/placement.py"
    return _page("The DNS server", source, about, body)


def settings() -> str:
    """Every setting of a node file and of a site file."""
    about = (
        "A node file (`--config FILE`, see `config/edge.toml`) says what a node is; a site file in `sites/` beside it says\n"
        "what is served for some host names (see `config/sites/example.toml`). A site may also stand in the node file, as\n"
        "`[[site]]`. `perigee check FILE` says everything that is wrong, with file, line, and what to write instead.\n\n"
        'Durations have a unit (`"250ms"`, `"30s"`, `"1h30m"`, `"7d"`), and so have sizes (`"500B"`, `"64KiB"`, `"1GB"`);\n'
        "KiB is 1024 bytes, KB is 1000. Both stand in quotes. A relative path is meant from the file that names it. What is\n"
        "not written has its default; a default gives way to a cap that is written below it, two written values that\n"
        'contradict each other are an error. `{ env = "NAME" }` takes a value from the environment, where that is allowed.\n\n'
        "Files are looked at once a second, and read anew at once on SIGHUP. Sites change without a restart and without\n"
        "dropping a connection, and so do settings that are `live`. Those with `roll` are in force once the workers were\n"
        "replaced one after the other, which costs no connection either: `perigee roll`, or SIGUSR2\n"
        "([rolling](../operations/rolling.md)). Those with `restart` need a restart of the whole node. The log names what was\n"
        "changed of either kind. Files with an error change nothing: the old settings stay in force, and the log, `/readyz`\n"
        "and `perigee_reloads_total` say so."
    )
    body = f"{_settings_of('Node file', NODE)}\n{_settings_of('Site file', SITE)}"
    return _page("Settings", "edge/settings/node_schema.py and edge/settings/site_schema.py", about, body)


def network() -> str:
    """Every setting of a network file."""
    about = (
        "A network file (see `config/network.toml`) says where the POPs and nodes of a network are, how the clients of each\n"
        "site are led to them and its misses to the origin, and what the DNS server does. Forms of values are those of\n"
        "[settings](settings.md). `[[name]]` is written once for each element. `perigee check FILE` says everything that is\n"
        "wrong: names that are not there, misses that would go in a circle, nodes that nothing leads to."
    )
    arrays: dict[str, Schema[Any]] = {
        "region": REGION,
        "pop": POP,
        "node": NETWORK_NODE,
        "route": ROUTE,
        "zone": ZONE,
        "zone.record": RECORD,
    }
    parts = [_settings_of(f"`[[{name}]]`", schema) for name, schema in arrays.items()]
    source = "edge/settings/network_schema.py and edge/settings/dns_schema.py"
    return _page("Network settings", source, about, "\n".join([*parts, _settings_of("The network", NETWORK)]))


def keys() -> str:
    """Every setting of a key file, and every reason why a signed request is refused."""
    about = (
        "A file of the folder of keys, one key each; `perigee keys new` writes one. The folder is looked at once a second; a\n"
        "file with an error changes nothing, and the log, `/readyz` and `perigee_key_reloads_total` say so. To change a key\n"
        "without a gap: add a second one, sign with that, and revoke the first."
    )
    rows = [
        (f"`{fault.value}`", str(Refused(fault, "").status), SIGNATURE_SENTENCE[fault])
        for fault in SignatureFault
    ]
    refused = (
        "## Refused requests\n\nThe word stands in the answer, in the log and in `perigee_signatures_total`.\n\n"
        + table(("reason", "status", "meaning"), rows)
    )
    source = "edge/purge/signing/key_schema.py and edge/purge/signing/faults.py"
    return _page("Keys and signatures", source, about, f"{_settings_of('Key file', KEY)}\n{refused}")


def purges() -> str:
    """Every reason why the purge API does not take a request, besides those of its signature."""
    about = (
        "What `reason` in an error of the purge API says ([how to purge](../purging.md)), and `outcome` in\n"
        "`perigee_purge_requests_total`. Those that a signature is refused for stand in [keys](keys.md). `instead` comes with\n"
        "the error; `detail` and `where` say what exactly it is about."
    )
    rows = [(f"`{reason.value}`", str(said.status), said.instead) for reason, said in SAID.items()]
    return _page(
        "Refused purges", "edge/purge/declined.py", about, table(("reason", "status", "instead"), rows)
    )


def _settings_of(title: str, schema: Schema[Any]) -> str:
    one = tuple(schema.tables) == ("",)  # an element of an array: its title is its table
    parts: list[str] = []
    for name, about in schema.tables.items():
        held = [setting for path, setting in schema.settings.items() if path.rpartition(".")[0] == name]
        if held:
            rows = [_setting_row(schema, setting) for setting in held]
            head = ("setting", "default", "allowed", "changes", "meaning")
            where = f"`[{name}]`" if name else "At the top"
            heading = "" if one else f"### {where}\n\n"
            parts.append(f"{heading}{about}\n\n{table(head, rows)}")
    return f"## {title}\n\n" + "\n".join(parts)


def _setting_row(schema: Schema[Any], setting: Setting) -> tuple[str, ...]:
    if setting.path in schema.required:
        default = "must be written"
    elif schema.default(setting.path) is None and not isinstance(setting.kind, Or):
        default = "none"
    else:
        default = f"`{setting.kind.write(schema.default(setting.path))}`"
    changes = "roll" if setting.roll else "restart" if setting.restart else "live"
    return f"`{setting.steps[-1]}`", default, setting.kind.allowed(), changes, setting.why


PAGES: Mapping[str, Callable[[], str]] = {
    "dns.md": dns_server,
    "keys.md": keys,
    "metrics.md": metrics,
    "network.md": network,
    "purges.md": purges,
    "reasons.md": reasons,
    "settings.md": settings,
}
"""File name to what makes its text. A page that is added here is written and checked from then on."""


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every page that differs; which ones did."""
    folder.mkdir(parents=True, exist_ok=True)
    changed: list[Path] = []
    for name, make in PAGES.items():
        path, text = folder / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for page in write():
        print(f"written: {page}")
