"""A node as one of a network: `node.network` names the file, and the node's name finds its place in it.

Owns: `joined` and `misled`, what is wrong where node, network and sites do not fit. Rules: the network file says where a node
is, so the node's region comes from there; a `node.region` that says something else is an error, not a choice. What is wrong in
the network file itself is said with its own lines (edge.settings.network_file).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge.semantics.redirect_rules import HOST, Redirect, filled
from edge.settings.document import Document
from edge.settings.network import Network, node_of
from edge.settings.node import NodeSettings
from edge.settings.problems import Path, Problem, quoted
from edge.settings.site_file import PlacedSite
from edge.settings.sites import SiteTable

MAX_LISTED = 20
"""Names of nodes that a complaint lists."""


def joined(
    settings: NodeSettings, network: Network, document: Document, region: object
) -> tuple[NodeSettings, list[Problem]]:
    """The settings of a node of `network`, and what is wrong with them. document: the node file.

    region: what is written as node.region, None = nothing.
    """
    assert settings.network_file is not None, "a network that no file names"
    node = node_of(network, settings.name)
    if node is None:
        listed = ", ".join(sorted(each.name for each in network.nodes)[:MAX_LISTED]) or "none"
        wrong = f"{settings.network_file} has no node {quoted(settings.name)}"
        instead = f"write [[node]] for it there, or node.name or --node as one of: {listed}"
        return settings, [document.problem(_where(document, "name"), wrong, instead)]
    own = network.region_of(node)
    if region is not None and region != own:
        wrong = f"{settings.network_file} has {quoted(settings.name)} in the region {quoted(own)}"
        return settings, [
            document.problem(("node", "region"), wrong, f"write {quoted(own)}, or leave it out")
        ]
    return replace(settings, network=network, region=own), []


def _where(document: Document, name: str) -> Path:
    """node.NAME where it is written, else node.network."""
    node = document.table.get("node")
    return ("node", name if isinstance(node, dict) and name in node else "network")


def misled(sites: Sequence[PlacedSite], network: Network | None) -> Iterator[Problem]:
    """What sites say of where their clients are that this node cannot do. network: None = it stands alone.

    sites: without conflicts among them.
    """
    table = SiteTable(site.rules for site in sites)
    for site in sites:
        if site.rules.key.countries is not None and network is None:
            wrong = "this node knows nobody's country"
            instead = "write node.network, or leave it out"
            yield site.document.problem((*site.base, "key", "country"), wrong, instead)
        if site.rules.redirect.answer is Redirect.OFF:
            continue
        path = (*site.base, "redirect", "answer")
        if network is None:
            wrong = "this node knows of no other"
            yield site.document.problem(path, wrong, 'write node.network, or redirect.answer = "off"')
        elif network.route(site.rules.name) is None:
            wrong = f"{network.file} has no route of the site {quoted(site.rules.name)}"
            yield site.document.problem(
                path, wrong, f"write [[route]] there with site = {quoted(site.rules.name)}"
            )
        elif site.rules.redirect.answer is not Redirect.COUNT:
            yield from _not_at_home(site, table, network)


def _not_at_home(site: PlacedSite, table: SiteTable, network: Network) -> Iterator[Problem]:
    """Hosts that clients would be sent to and that are no hosts of the site."""
    rules = site.rules
    ways = [("pop_host", rules.redirect.pop_host, [pop.name for pop in network.pops])]
    if rules.redirect.by_path:
        ways.append(("node_host", rules.redirect.node_host, [node.name for node in network.nodes]))
    for setting, template, names in ways:
        hosts = [host.replace(b"*", b"any") for host in rules.hostnames] if HOST in template else [b""]
        for host in hosts:
            strange = next(
                (at for name in names if table.find(at := filled(template, name, host)) is not rules), None
            )
            if strange is not None:
                path = (*site.base, "redirect", setting)
                wrong = f"clients would be sent to {quoted(strange.decode('ascii'))}, which is no host of this site"
                instead = f"write {quoted(_wildcard(strange))} in hostnames too"
                yield site.document.problem(path, wrong, instead)
                break


def _wildcard(host: bytes) -> str:
    return f"*.{host.partition(b'.')[2].decode('ascii')}"
