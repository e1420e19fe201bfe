"""Zones: what may stand in one, and what it says of names."""

import pytest

from edge.geo.dns.names import name_of
from edge.geo.dns.rdata import Rtype
from edge.geo.dns.zone import BadZone, Found, Route
from tests.kit.nameservers import ORIGIN, zone_of

HEAD = "@ 60 SOA ns1 host 1 2 3 4 30\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n"
APEX = name_of(ORIGIN)


def name(relative: str):
    return name_of(relative, APEX)


BAD: list[tuple[str, str, tuple[Route, ...], str]] = [
    ("no SOA", "@ 60 NS ns1", (), "SOA"),
    ("no NS", "@ 60 SOA ns1 host 1 2 3 4 5", (), "NS record"),
    ("a CNAME at the apex", HEAD + "www 60 A 192.0.2.1\n", (Route(name_of("a.other."), "s", 30),), "is not in"),
    ("a route and addresses", HEAD + "www 60 A 192.0.2.1\n", (Route(name("www"), "s", 30),), "addresses and is routed"),
    ("a route and a CNAME", HEAD + "www 60 CNAME a.b.c.\n", (Route(name("www"), "s", 30),), "a CNAME and is routed"),
    ("a route twice", HEAD, (Route(name("www"), "s", 30), Route(name("www"), "t", 30)), "routed twice"),
    ("a delegated wildcard", HEAD + "*.x 60 NS a.b.\n", (), "wildcard cannot be delegated"),
    ("records beyond a cut", HEAD + "sub 60 NS a.b.\nx.sub 60 TXT a\n", (), "beyond the delegation"),
    ("a route beyond a cut", HEAD + "sub 60 NS a.b.\n", (Route(name("x.sub"), "s", 30),), "beyond the delegation"),
    ("text at a cut", HEAD + "sub 60 NS a.b.\nsub 60 TXT a\n", (), "delegated and has other"),
    ("an NS that is a CNAME", HEAD + "@ 60 NS ns2\nns2 60 CNAME ns1\n", (), "RFC 2181"),
    ("an MX that is a CNAME", HEAD + "@ 60 MX 1 m\nm 60 CNAME ns1\n", (), "RFC 2181"),
    ("DNAME", HEAD + "x 60 DNAME a.b.\n", (), "cannot stand"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "text", "routes", "said"), BAD, ids=[row[0] for row in BAD])
def test_this_is_no_zone(what: str, text: str, routes: tuple[Route, ...], said: str):
    with pytest.raises(BadZone, match=said):
        zone_of(text, routes=routes)


def test_a_type_has_a_bound():
    many = "".join(f"m 60 A 10.0.{each // 250}.{each % 250}\n" for each in range(257))
    with pytest.raises(BadZone, match="256"):
        zone_of(HEAD + many, routes=())


def test_one_set_has_one_ttl_and_no_record_twice():
    zone = zone_of(HEAD + "www 60 TXT a\n", routes=())
    rrset = zone.nodes[name("www")].rrsets[Rtype.TXT]
    assert (rrset.ttl, len(rrset.rdatas)) == (60, 1)


def test_negative_answers_live_as_long_as_the_lesser_of_both_fields():
    assert zone_of(HEAD, routes=()).negative.ttl == 30
    assert zone_of(HEAD.replace("4 30", "4 300"), routes=()).negative.ttl == 60


TREE = (
    HEAD
    + "a.b.c 60 A 192.0.2.1\n*.c 60 A 192.0.2.2\n*.w.c 60 A 192.0.2.3\nsub 60 NS ns.sub\nns.sub 60 A 192.0.2.4\n"
)

FIND = [
    ("@", True, False),
    ("b.c", True, False),  # an empty non-terminal exists
    ("c", True, False),
    ("x.c", True, True),
    ("y.x.c", True, True),
    ("*.c", True, False),
    ("x.b.c", False, False),  # below a name that exists the wildcard beside it says nothing
    ("w.c", True, False),
    ("v.w.c", True, True),
    ("nothing", False, False),
]


@pytest.mark.parametrize(("asked", "exists", "by_wildcard"), FIND)
def test_a_name_exists_or_a_wildcard_stands_for_it(asked: str, exists: bool, by_wildcard: bool):
    found = zone_of(TREE, routes=()).find(name(asked))
    assert (found.node is not None, found.by_wildcard, found.cut) == (exists, by_wildcard, None)


@pytest.mark.parametrize("asked", ["sub", "ns.sub", "x.y.sub"])
def test_beyond_a_cut_there_are_only_servers_to_ask(asked: str):
    zone = zone_of(TREE, routes=())
    assert zone.find(name(asked)) == Found(None, name("sub"))
    assert [rrset.name for rrset in zone.glue(name("sub"))] == [name("ns.sub")]
