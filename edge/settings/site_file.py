"""From a table of settings to `SiteRules`, and what several sites must not have in common.

Owns: `read_site`, `conflicts`. Rules: a site has host names and an origin; a host name and a site's name stand once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from types import MappingProxyType

from edge.semantics.rules import COUNTRY, SiteRules
from edge.semantics.tls_rules import CLIENT_CERT
from edge.settings.address_kinds import OriginUrl
from edge.settings.document import Document, Written, read_table
from edge.settings.problems import Path, Problem, quoted
from edge.settings.schema import put
from edge.settings.site_schema import SITE

NEGATIVE = (404, 405, 410, 414, 501)
"""The error statuses that are heuristically cacheable (RFC 9110 s15.1); ttl.negative is about them."""


@dataclass(frozen=True, slots=True)
class PlacedSite:
    """A site and where it was written. base: () for a file of its own, ("site", n) within a node file."""

    rules: SiteRules
    document: Document
    base: Path = ()
    has_hosts: bool = True
    """False: its host names could not be read, so nothing can be said of them."""


def read_site(
    document: Document,
    table: Mapping[str, object],
    *,
    base: Path = (),
    env: Mapping[str, str],
    folder: FilePath,
) -> tuple[PlacedSite, list[Problem]]:
    """A site with all that is wrong with it; the rules are to be used only where nothing is. folder: of the file."""
    written = read_table(document, table, SITE, base=base, env=env)
    for name, example in SITE.required.items():
        if name not in table:
            written.problems.append(
                document.problem(base, f"the site has no {name}", f"write {name} = {example} at its top")
            )
    rules = _rules(document, written, base, folder)
    return PlacedSite(rules, document, base, "hostnames" in written.values), written.problems


def _rules(document: Document, written: Written, base: Path, folder: FilePath) -> SiteRules:
    values, _ = SITE.settle(written.values)
    for named in ("origin.tls_ca_file", "tls.client_ca"):
        if isinstance(file := values.get(named), str):
            values[named] = str(folder / file)
    rules = SITE.build(values)
    name = values.get("name")
    if not isinstance(name, str):
        first = rules.hostnames[0].decode("ascii") if rules.hostnames else "default"
        name = first if base else FilePath(document.file).stem
    placed: dict[str, object] = {"name": name}
    by_status = dict(rules.freshness.status_ttl)
    written.problems += [
        document.problem(
            (*base, "ttl", "by_status", str(status)),
            f"{SITE.settings['ttl.max'].kind.write(seconds)} is more than ttl.max",
            "lower it, or raise ttl.max",
        )
        for status, seconds in by_status.items()
        if seconds > rules.freshness.max_ttl
    ]
    written.problems += _strange_origins(document, rules, base)
    ours = [
        name
        for name, wanted in ((COUNTRY, rules.key.countries is not None), (CLIENT_CERT, rules.tls.tell))
        if wanted
    ]
    if ours:
        placed["key.headers"] = (*rules.key.headers, *ours)
    negative = values.get("ttl.negative")
    if isinstance(negative, float):
        placed["freshness.status_ttl"] = MappingProxyType(dict.fromkeys(NEGATIVE, negative) | by_status)
    return put(rules, placed)


def _strange_origins(document: Document, rules: SiteRules, base: Path) -> Iterator[Problem]:
    """Backups that are origins already, and weights of what is neither."""
    origins, protection = rules.origin.origins, rules.protection
    for index, backup in enumerate(protection.backups):
        if backup in origins:
            path = (*base, "protection", "backups", index)
            yield document.problem(path, "it stands in origins too", "leave it out of one of them")
    url = OriginUrl()
    for origin in protection.weights:
        if origins and origin not in (*origins, *protection.backups):
            wrong = f"{url.write(origin)} is neither in origins nor in protection.backups"
            yield document.problem((*base, "protection", "weights"), wrong, "leave it out, or write it there")


def conflicts(sites: Sequence[PlacedSite]) -> list[Problem]:
    """What stands in two sites and may stand in one only; blamed on the later one."""
    problems: list[Problem] = []
    hosts: dict[bytes, Problem] = {}
    names: dict[str, Problem] = {}
    for site in sites:
        for index, host in enumerate(site.rules.hostnames or (b"*",) if site.has_hosts else ()):
            here = site.document.problem((*site.base, "hostnames", index), "", "")
            first = hosts.setdefault(host, here)
            if first is not here:
                wrong = (
                    f"{quoted(host.decode('ascii'))} is a host of another site, at {first.file}:{first.line}"
                )
                problems.append(replace(here, wrong=wrong, instead="leave it out of one of them"))
        here = site.document.problem((*site.base, "name"), "", "")
        first = names.setdefault(site.rules.name, here)
        if first is not here:
            wrong = f"the site is named {quoted(site.rules.name)}, as is the one at {first.file}:{first.line}"
            problems.append(replace(here, wrong=wrong, instead="write another name in one of them"))
    return problems
