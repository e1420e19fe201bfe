"""A node finds its place in its network; what does not fit is said where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.load import load_node, site_files
from edge.settings.node import NodeSettings, Overrides
from edge.settings.problems import SettingsFault
from edge.settings.reload import watched

NETWORK = """
[[region]]
name = "eu"
[[pop]]
name = "fra"
region = "eu"
latitude = 50.1
longitude = 8.7
addresses = ["192.0.2.1"]
[[node]]
name = "fra-1"
pop = "fra"
http = "10.0.1.1:80"
"""
SITE = '[[site]]\nhostnames = ["*"]\norigins = ["http://127.0.0.1:3000"]\n'
AS_ONE_OF = "write [[node]] for it there, or node.name or --node as one of: fra-1"


def load(folder: Path, node: str, network: str | None = NETWORK, name: str | None = None) -> NodeSettings:
    (folder / "edge.toml").write_text(f"{node}\n{SITE}", encoding="utf-8")
    if network is not None:
        (folder / "network.toml").write_text(network, encoding="utf-8")
    return load_node(folder / "edge.toml", Overrides(name=name), env={})


def test_a_node_of_a_network_has_its_place_and_its_region_from_there(tmp_path: Path):
    settings = load(tmp_path, '[node]\nname = "fra-1"\nnetwork = "network.toml"')
    assert (settings.region, settings.network_file) == ("eu", tmp_path / "network.toml")
    assert settings.place is not None
    assert (settings.place.name, settings.place.pop) == ("fra-1", "fra")
    assert settings.network is not None
    assert settings.network.file == tmp_path / "network.toml"


def test_the_name_of_the_command_line_counts_and_so_does_a_region_that_agrees(tmp_path: Path):
    node = '[node]\nname = "other"\nregion = "eu"\nnetwork = "network.toml"'
    assert load(tmp_path, node, name="fra-1").region == "eu"


def test_a_node_without_a_network_stands_alone(tmp_path: Path):
    settings = load(tmp_path, '[node]\nregion = "somewhere"', None)
    assert (settings.network, settings.place, settings.region) == (None, None, "somewhere")


@pytest.mark.parametrize(
    ("node", "network", "said"),
    [
        (
            '[node]\nname = "fra-2"\nnetwork = "network.toml"',
            NETWORK,
            'edge.toml:2: node.name: {network} has no node "fra-2"; ' + AS_ONE_OF,
        ),
        (
            '[node]\nnetwork = "network.toml"',
            NETWORK,
            'edge.toml:2: node.network: {network} has no node "perigee"; ' + AS_ONE_OF,
        ),
        (
            '[node]\nname = "fra-1"\nnetwork = "network.toml"\nregion = "us"',
            NETWORK,
            'edge.toml:4: node.region: {network} has "fra-1" in the region "eu"; write "eu", or leave it out',
        ),
        (
            '[node]\nname = "fra-1"\nnetwork = "network.toml"',
            NETWORK.replace('pop = "fra"', 'pop = "fro"'),
            'network.toml:12: node[0].pop: there is no POP "fro"; known: fra',
        ),
        (
            '[node]\nname = "fra-1"\nnetwork = "network.toml"',
            None,
            "network.toml: the file cannot be read: No such file or directory; name a file that is there and may be read",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_file_and_line(
    tmp_path: Path, node: str, network: str | None, said: str
):
    with pytest.raises(SettingsFault) as caught:
        load(tmp_path, node, network)
    (problem,) = caught.value.problems
    assert str(problem) == f"{tmp_path}/" + said.format(network=tmp_path / "network.toml")


def test_the_network_file_is_watched_and_kept_for_the_workers(tmp_path: Path):
    settings = load(tmp_path, '[node]\nname = "fra-1"\nnetwork = "network.toml"')
    kept: dict[Path, bytes] = {}
    load_node(tmp_path / "edge.toml", env={}, keep=kept)
    assert tmp_path / "network.toml" in watched(settings)
    assert site_files(settings) == ()
    (tmp_path / "network.toml").unlink()
    again = load_node(tmp_path / "edge.toml", env={}, kept=kept)
    assert again.network == settings.network


ROUTE = """
[[route]]
site = "shop"
hosts = ["www.example.org"]
"""
SHOP = """
[node]
name = "fra-1"
network = "network.toml"
[[site]]
name = "shop"
hostnames = ["www.example.org", "*.www.example.org"]
origins = ["http://127.0.0.1:3000"]
"""


def load_shop(folder: Path, node: str, network: str = NETWORK + ROUTE) -> NodeSettings:
    (folder / "edge.toml").write_text(node, encoding="utf-8")
    (folder / "network.toml").write_text(network, encoding="utf-8")
    return load_node(folder / "edge.toml", env={})


def test_a_site_that_leads_its_clients_is_routed_and_its_hosts_are_its_own(tmp_path: Path):
    lead = '[site.redirect]\nanswer = "302"\nby_path = ["/video/"]\n[site.key]\ncountry = ["DE"]\n'
    (rules,) = load_shop(tmp_path, SHOP + lead).sites
    assert rules.redirect.by_path == (b"/video/",)


@pytest.mark.parametrize(
    ("node", "network", "said"),
    [
        (
            SHOP.replace('network = "network.toml"', "") + '[site.redirect]\nanswer = "302"\n',
            NETWORK + ROUTE,
            'edge.toml:10: site[0].redirect.answer: this node knows of no other; write node.network, or redirect.answer = "off"',
        ),
        (
            SHOP.replace('network = "network.toml"', "") + '[site.key]\ncountry = "each"\n',
            NETWORK + ROUTE,
            "edge.toml:10: site[0].key.country: this node knows nobody's country; write node.network, or leave it out",
        ),
        (
            SHOP + '[site.redirect]\nanswer = "count"\n',
            NETWORK,
            (
                'edge.toml:10: site[0].redirect.answer: {network} has no route of the site "shop"; write [[route]] there with '
                'site = "shop"'
            ),
        ),
        (
            SHOP.replace(', "*.www.example.org"', "") + '[site.redirect]\nanswer = "307"\n',
            NETWORK + ROUTE,
            (
                'edge.toml:9: site[0].redirect.pop_host: clients would be sent to "fra.www.example.org", which is no host of this '
                'site; write "*.www.example.org" in hostnames too'
            ),
        ),
        (
            SHOP
            + '[site.redirect]\nanswer = "307"\nby_path = ["/v"]\nnode_host = "{node}.nodes.example.net"\n',
            NETWORK + ROUTE,
            (
                'edge.toml:12: site[0].redirect.node_host: clients would be sent to "fra-1.nodes.example.net", which is no host of '
                'this site; write "*.nodes.example.net" in hostnames too'
            ),
        ),
    ],
)
def test_what_a_site_cannot_have_here_is_said_with_file_and_line(
    tmp_path: Path, node: str, network: str, said: str
):
    with pytest.raises(SettingsFault) as caught:
        load_shop(tmp_path, node, network)
    (problem,) = caught.value.problems
    assert str(problem) == f"{tmp_path}/" + said.replace("{network}", str(tmp_path / "network.toml"))
