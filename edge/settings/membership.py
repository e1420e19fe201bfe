"""A node as one of a network: `node.network` names the file, and the node's name finds its place in it.

Owns: `joined`, and what is wrong where the two do not fit. Rules: the network file says where a node is, so the node's region
comes from there; a `node.region` that says something else is an error, not a choice. What is wrong in the network file itself
is said with its own lines (edge.settings.network_file).
"""

from __future__ import annotations

from dataclasses import replace

from edge.settings.document import Document
from edge.settings.network import Network, node_of
from edge.settings.node import NodeSettings
from edge.settings.problems import Path, Problem, quoted

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
