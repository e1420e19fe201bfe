"""Where the bus is, as a network file says it."""

from __future__ import annotations

from pathlib import Path

from edge.settings.bus_schema import BUS, nats_in_folder
from edge.settings.network_file import load_network
from edge.settings.node import NatsSettings
from edge.settings.node_schema import NODE

FOLDER = Path("etc") / "perigee"


def test_a_network_file_says_of_the_bus_what_a_node_file_says_and_nothing_of_the_log():
    for setting in BUS:
        assert setting.kind == NODE.settings[setting.path].kind
        assert setting.into == setting.path
    assert {"nats.stream", "nats.replicas", "nats.max_age"}.isdisjoint(setting.path for setting in BUS)


def test_files_of_the_bus_are_meant_from_the_folder_of_the_file(tmp_path: Path):
    file = tmp_path / "network.toml"
    file.write_text(
        '[nats]\nurl = "nats://nats-1.internal:4222"\nnkey = "keys/dns.nk"\nca_file = "/ca.pem"\n',
        encoding="utf-8",
    )
    nats = load_network(file).nats
    assert (nats.url, nats.nkey) == (("nats://nats-1.internal:4222",), tmp_path / "keys" / "dns.nk")
    assert (nats.ca_file, nats.credentials) == (Path("/ca.pem"), None)


def test_what_is_not_named_is_in_no_folder():
    assert nats_in_folder(NatsSettings(), FOLDER) == NatsSettings()
