"""Zone files, whatever is in them."""

import pytest

from edge.geo.dns.names import name_of
from edge.geo.dns.rdata import Rtype
from edge.geo.dns.zone import BadZone
from edge.geo.dns.zone_file import records_in

ORIGIN = name_of("cdn.example.")


def test_names_are_relative_to_the_origin_and_values_are_in_wire_form():
    text = '$TTL 1h\n@ SOA ns1 host 1 2 3 4 5\nwww 30 IN A 192.0.2.1\nx TYPE65280 \\# 2 beef\n$ORIGIN sub\nt TXT "a b"\n'
    records = {(record.name, record.rtype): record for record in records_in(text, ORIGIN, file="a.zone")}
    www = records[name_of("www.cdn.example."), Rtype.A]
    assert (www.ttl, www.rdata.wire()) == (30, b"\xc0\0\2\1")
    assert records[name_of("x.cdn.example."), 65280].rdata.wire() == b"\xbe\xef"
    assert records[name_of("t.sub.cdn.example."), Rtype.TXT].ttl == 3600


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("www 60 A 192.0.2.300\n", "^a.zone:.*malformed"),
        ("www 60 A 192.0.2.1\nwww 60 NONSENSE x\n", "a.zone:2"),
        ("$INCLUDE /etc/passwd\n", "a.zone:1"),
        ("www 60 CNAME a\nwww 60 A 192.0.2.1\n", "^a.zone: .*CNAME"),
        ("", "nothing in it"),
        ("other.zone. 60 A 192.0.2.1\n", "nothing in it"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_where_it_is_known_the_line(text: str, said: str):
    with pytest.raises(BadZone, match=said):
        records_in(text, ORIGIN, file="a.zone")
