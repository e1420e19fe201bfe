"""Who is measured as a DNS server: what they are started with is written, and they answer."""

from __future__ import annotations

from pathlib import Path

import dns.edns
import dns.message
import dns.query
import pytest

from tools.benching.dns_queries import ORIGIN, places
from tools.benching.dns_servers import ALL, Contender
from tools.mmdb import mmdb_bytes
from tools.ports import free_port


def told(port: int, subnet: str) -> set[str]:
    asked = dns.message.make_query(f"www.{ORIGIN}", "A", use_edns=0, options=[dns.edns.ECSOption(subnet, 24)])
    return {
        each.to_text()
        for rrset in dns.query.udp(asked, "127.0.0.1", port=port, timeout=5).answer
        for each in rrset
    }


@pytest.mark.slow
@pytest.mark.parametrize("contender", ALL, ids=[each.name for each in ALL])
def test_all_give_the_same_answers(contender: Contender, tmp_path: Path):
    if contender.version() is None:
        pytest.skip(f"{contender.name} is not installed")
    records = {
        "10.0.0.0/16": {"country": {"iso_code": "DE"}, "location": {"latitude": 50.1, "longitude": 8.7}},
        "11.0.0.0/16": {"country": {"iso_code": "JP"}, "location": {"latitude": 35.7, "longitude": 139.7}},
    }
    (tmp_path / "places.mmdb").write_bytes(mmdb_bytes(records, database_type="GeoLite2-City"))
    port = free_port()
    with contender.start(tmp_path / contender.name, port, None) as process:
        process.wait_for_port(port)
        assert told(port, "10.0.5.0") == {"192.0.2.1", "192.0.2.2"}
        assert told(port, "11.0.5.0") == {"192.0.2.15", "192.0.2.16"}


def test_places_are_the_same_each_time():
    assert places(20) == places(20)
