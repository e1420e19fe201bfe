"""Data of records: which names in it may be compressed."""

import dns.rdata
import pytest

from edge.geo.dns.names import name_of
from edge.geo.dns.rdata import Rtype, rdata_of, type_word

TABLE = [
    ("NS", "ns1.example.", 1),
    ("CNAME", "www.Example.", 1),
    ("MX", "10 mail.example.", 1),
    ("SOA", "ns1.example. host.example. 1 2 3 4 5", 2),
    ("A", "192.0.2.1", 0),
    ("TXT", '"a" "b"', 0),
    ("CAA", '0 issue "ca.example"', 0),
    ("SRV", "1 2 3 host.example.", 0),
]


@pytest.mark.parametrize(("kind", "text", "names"), TABLE)
def test_names_stand_apart_where_rfc_3597_allows_compression(kind: str, text: str, names: int):
    wire = dns.rdata.from_text("IN", kind, text).to_wire()
    assert wire is not None
    rdata = rdata_of(Rtype[kind], wire)
    assert len(rdata.names) == names
    assert rdata.wire() == (wire.lower() if names else wire)


def test_names_in_data_are_found_in_lower_case():
    assert rdata_of(Rtype.CNAME, b"\3WWW\7Example\0").names == (name_of("www.example."),)


def test_types_have_words_and_others_numbers():
    assert [type_word(kind) for kind in (1, 28, 257, 65280)] == ["A", "AAAA", "CAA", "TYPE65280"]
