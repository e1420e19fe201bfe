"""A node among others is told what it lacks before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.load import load_node
from edge.settings.problems import SettingsFault

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
SHIELD = '[[node]]\nname = "fra-s1"\npop = "fra"\nrole = "shield"\nhttp = "10.0.1.9:80"\n'
SHARING = NETWORK.replace("longitude", "siblings = true\nlongitude") + 'tier = "10.0.1.1:8090"\n'
SITE = '[[site]]\nhostnames = ["*"]\norigins = ["http://127.0.0.1:3000"]\n'
SECRETS = '[tier]\nsecrets = ["0123456789abcdef"]\n'
LISTEN = 'listen = "10.0.1.1:8090"\n'


@pytest.mark.parametrize(
    ("name", "network", "tier", "missing"),
    [
        pytest.param("fra-1", NETWORK, "", [], id="nobody above it"),
        pytest.param("fra-1", NETWORK + SHIELD, SECRETS, [], id="an edge"),
        pytest.param("fra-1", NETWORK + SHIELD, "", ["tier.secrets"], id="an edge without a secret"),
        pytest.param(
            "fra-1",
            NETWORK + SHIELD,
            '[tier]\nsecrets = [{ env = "NOT_THERE" }]\n',
            ["tier.secrets[0]"],
            id="an edge whose secret is not there",
        ),
        pytest.param("fra-s1", NETWORK + SHIELD, SECRETS + LISTEN, [], id="a shield"),
        pytest.param("fra-s1", NETWORK + SHIELD, SECRETS, ["tier.listen"], id="a shield that is deaf"),
        pytest.param(
            "fra-s1", NETWORK + SHIELD, "", ["tier.secrets", "tier.listen"], id="and without a secret"
        ),
        pytest.param("fra-1", SHARING, SECRETS + LISTEN, [], id="a sibling"),
        pytest.param("fra-1", SHARING, SECRETS, ["tier.listen"], id="a sibling that is deaf"),
    ],
)
def test_what_a_node_needs_to_be_one_of_a_network(
    tmp_path: Path, name: str, network: str, tier: str, missing: list[str]
):
    (tmp_path / "network.toml").write_text(network)
    file = tmp_path / "edge.toml"
    file.write_text(f'[node]\nname = "{name}"\nnetwork = "network.toml"\n{tier}{SITE}')
    found: list[str] = []
    try:
        load_node(file, env={})
    except SettingsFault as fault:
        found = [problem.setting for problem in fault.problems]
    assert sorted(found) == sorted(missing)
