"""A node among others is told what it lacks before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.load import load_node
from edge.settings.problems import Problem, SettingsFault

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
LOG = '[nats]\nurl = "nats://10.0.1.20"\n'
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
    file.write_text(f'[node]\nname = "{name}"\nnetwork = "network.toml"\n{tier}{LOG}{SITE}')
    assert sorted(problem.setting for problem in problems(file)) == sorted(missing)


def problems(file: Path) -> tuple[Problem, ...]:
    try:
        load_node(file, env={})
    except SettingsFault as fault:
        return tuple(fault.problems)
    return ()


@pytest.mark.parametrize("log", [LOG, '[purge]\nlog = "off"\n', ""], ids=["one for all", "none", "its own"])
@pytest.mark.parametrize(
    "tier",
    [
        SECRETS + LISTEN,
        SECRETS + 'shields = ["10.0.1.9:8090"]\n',
        pytest.param("", id="nobody to ask and nobody who asks"),
    ],
)
def test_nodes_that_ask_each_other_read_one_purge_log(tmp_path: Path, tier: str, log: str):
    """With logs of their own, a shield would store for nobody: it cannot know what the edge's positions mean."""
    file = tmp_path / "edge.toml"
    file.write_text(f"{tier}{log}{SITE}")
    found = problems(file)
    assert [problem.setting for problem in found] == (["nats.url"] if tier and not log else [])
    for problem in found:
        assert 'the same on all nodes; or, where nothing is ever purged, purge.log = "off" on all' in str(
            problem
        )
