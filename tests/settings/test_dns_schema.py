"""The DNS server's settings: what differs from a plain table. The rest: tests/settings/test_network_schema.py."""

from __future__ import annotations

from pathlib import Path

from edge.settings.document import parse
from edge.settings.network import Network
from edge.settings.network_file import read_network

SECRET = "00112233445566778899aabbccddeeff"


def read(text: str) -> tuple[Network, list[str]]:
    document = parse("network.toml", text.encode())
    network, problems = read_network(document, env={"OLD": SECRET}, folder=Path(), changed=0)
    return network, [str(problem) for problem in problems]


def test_a_cookie_secret_may_come_from_the_environment():
    written, problems = read(f'dns.cookie_secrets = ["{SECRET[::-1]}", {{ env = "OLD" }}]')
    assert (written.dns.cookie_secrets, problems) == (
        (bytes.fromhex(SECRET[::-1]), bytes.fromhex(SECRET)),
        [],
    )
    _, problems = read('dns.cookie_secrets = [{ env = "NEW" }]')
    assert problems == [
        "network.toml:1: dns.cookie_secrets[0]: the environment has no NEW; set it before the start"
    ]


def test_a_bound_that_is_lowered_lowers_the_default_within_it():
    network, problems = read("dns.tcp.connections = 5")
    assert (network.dns.tcp.per_client, problems) == (5, [])
    _, [problem] = read("[dns.tcp]\nconnections = 5\nper_client = 6")
    assert problem.startswith("network.toml:3: dns.tcp.per_client: 6 is more than dns.tcp.connections (5)")
