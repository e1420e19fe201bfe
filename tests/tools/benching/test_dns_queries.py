"""What is asked in the DNS benchmark is what its row says."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import dns.edns
import dns.message
import pytest

from edge.geo.dns.zones import zones_of
from edge.settings.network_file import load_network
from tools.benching.dns_queries import ORIGIN, POPS, WORKLOADS, network_text, places, queries
from tools.mmdb import mmdb_bytes


@pytest.mark.parametrize("workload", list(WORKLOADS))
def test_packets_are_queries_of_the_kind_and_the_same_each_time(workload: str):
    packets = list(islice(queries(workload), 200))
    assert packets == list(islice(queries(workload), 200))
    for packet in packets:
        assert int.from_bytes(packet[:2], "big") == len(packet) - 2
        read = dns.message.from_wire(packet[2:])
        name = read.question[0].name
        assert name.to_text().lower().endswith(f"{ORIGIN}.")
        assert (name.canonicalize().to_text() == f"www.{ORIGIN}.") is (workload != "nxdomain")
        has_subnet = any(isinstance(option, dns.edns.ECSOption) for option in read.options)
        assert has_subnet is (workload in {"ecs", "ecs-new", "tcp"})
        assert (read.edns == -1) is (workload == "source")
    assert len(set(packets)) == (1 if workload == "source" else 200)


def test_the_network_is_one_that_we_take(tmp_path: Path):
    (tmp_path / "places.mmdb").write_bytes(mmdb_bytes(places(50)))
    (tmp_path / "network.toml").write_text(network_text(5353), encoding="utf-8")
    network = load_network(tmp_path / "network.toml")
    assert len(network.pops) == len(POPS)
    assert len(zones_of(network)) == 1
    assert network.dns.rate.responses == network.dns.rate.errors == 1_000_000
