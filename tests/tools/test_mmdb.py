"""What is written is what two readers read."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import maxminddb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxminddb.const import MODE_MEMORY, MODE_MMAP_EXT

from tools.mmdb import encode, mmdb_bytes

RECORD: dict[str, object] = {
    "text": "é" * 20,
    "long": "x" * 400,
    "number": -8.25,
    "whole": 70_000,
    "yes": True,
    "list": [1, "two"],
    "map": {"a": {"b": 0}},
}


@pytest.mark.parametrize("record_size", [24, 28, 32])
@pytest.mark.parametrize("ip_version", [4, 6])
@pytest.mark.parametrize("mode", [MODE_MMAP_EXT, MODE_MEMORY])
def test_records_of_every_kind_come_back(tmp_path: Path, record_size: int, ip_version: int, mode: int):
    file = tmp_path / "a.mmdb"
    file.write_bytes(mmdb_bytes({"192.0.2.0/24": RECORD}, ip_version=ip_version, record_size=record_size))
    with maxminddb.open_database(file, mode) as reader:
        assert reader.get_with_prefix_len("192.0.2.255") == (RECORD, 24)
        assert reader.get("192.0.3.0") is None
        assert (reader.metadata().ip_version, reader.metadata().record_size) == (ip_version, record_size)


def test_both_families_are_in_one_tree(tmp_path: Path):
    file = tmp_path / "a.mmdb"
    file.write_bytes(
        mmdb_bytes({"192.0.2.0/24": {"a": 1}, "2001:db8::/32": {"a": 2}, "2001:db8:1::/48": {"a": 3}})
    )
    with maxminddb.open_database(file, MODE_MMAP_EXT) as reader:
        found = [
            reader.get(address) for address in ("192.0.2.1", "2001:db8::1", "2001:db8:1::1", "2001:db9::")
        ]
    assert found == [{"a": 1}, {"a": 2}, {"a": 3}, None]


def test_what_has_no_form_is_refused():
    with pytest.raises(AssertionError):
        encode(None)
    with pytest.raises(AssertionError, match="in a tree of IPv4"):
        mmdb_bytes({"2001:db8::/32": {}}, ip_version=4)


NETWORKS = st.builds(
    lambda number, prefix: IPv4Network((number & (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF, prefix)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 32),
)


@given(st.dictionaries(NETWORKS, st.integers(1, 5), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_narrowest_network_counts(tmp_path: Path, written: dict[IPv4Network, int], number: int):
    file = tmp_path / "a.mmdb"
    file.write_bytes(mmdb_bytes({str(network): {"a": value} for network, value in written.items()}))
    with maxminddb.open_database(file, MODE_MMAP_EXT) as reader:
        for address in (IPv4Address(number), *(network[0] for network in written)):
            holding = [network for network in written if address in network]
            right = written[max(holding, key=lambda network: network.prefixlen)] if holding else None
            assert reader.get(str(address)) == (None if right is None else {"a": right})
