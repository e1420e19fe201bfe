"""A host finds its site: the exact name, the longest wildcard, the one that takes every host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.rules import FreshnessRules, SiteRules
from edge.settings.sites import NO_SITES, Homes, SiteTable

TABLE = SiteTable(
    [
        SiteRules(name="exact", hostnames=(b"www.example.org", b"a.b.example.org")),
        SiteRules(name="wide", hostnames=(b"*.example.org",)),
        SiteRules(name="narrow", hostnames=(b"*.b.example.org",)),
        SiteRules(name="address", hostnames=(b"192.0.2.1", b"[2001:db8::1]")),
    ]
)
EVERY = SiteTable([*TABLE, SiteRules(name="every")])


@pytest.mark.parametrize(
    "host, name",
    [
        (b"www.example.org", "exact"),
        (b"a.b.example.org", "exact"),
        (b"x.example.org", "wide"),
        (b"b.example.org", "wide"),
        (b"x.y.example.org", "wide"),
        (b"c.b.example.org", "narrow"),
        (b"d.c.b.example.org", "narrow"),
        (b"192.0.2.1", "address"),
        (b"[2001:db8::1]", "address"),
        (b"example.org", None),
        (b"notexample.org", None),
        (b".example.org", None),
        (b"", None),
        (b"org", None),
    ],
)
def test_a_host_finds_its_site(host: bytes, name: str | None):
    found = TABLE.find(host)
    assert (found.name if found else None) == name
    every = EVERY.find(host)
    assert every is not None
    assert every.name == (name or "every")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_host(host: bytes):
    assert EVERY.find(host) is not None


def test_without_sites_there_is_none():
    assert NO_SITES.find(b"www.example.org") is None
    assert not NO_SITES


def test_a_host_in_two_sites_is_our_mistake():
    site = SiteRules(hostnames=(b"a.org",))
    with pytest.raises(AssertionError):
        SiteTable([site, site])
    with pytest.raises(AssertionError):
        SiteTable([SiteRules(), SiteRules()])


def test_a_table_is_what_its_sites_are():
    assert SiteTable(list(TABLE)) == TABLE
    assert TABLE != EVERY
    named = TABLE.named("wide")
    assert named is not None
    assert named.hostnames == (b"*.example.org",)
    assert TABLE.named("nobody") is None
    assert "narrow" in repr(TABLE)


def test_the_longest_life_is_that_of_the_most_patient_site():
    lives = [
        SiteRules(name=f"s{life:g}", hostnames=(b"h%d" % life,), freshness=FreshnessRules(max_life=life))
        for life in (7.0, 9.0, 8.0)
    ]
    assert SiteTable(lives).longest_life == 9.0
    assert NO_SITES.longest_life == 0.0


# --- which site a host has belonged to ---


def of(**sites: tuple[bytes, ...]) -> SiteTable:
    return SiteTable(SiteRules(name=name, hostnames=hosts) for name, hosts in sites.items())


@pytest.mark.parametrize(
    ("reloads", "moves"),
    [
        ([of(a=(b"h",)), of(a=(b"h",), b=(b"i",))], [False]),
        ([of(a=(b"h",)), of(b=(b"h",)), of(a=(b"h",))], [True, True]),
        ([of(a=(b"h",)), of(b=(b"i",)), of(b=(b"h",))], [False, True]),  # gone, and back elsewhere
        ([of(a=(b"h",)), of(b=(b"i",)), of(a=(b"h",))], [False, False]),  # gone, and back
        ([of(a=(b"*.x",)), of(a=(b"*.x",), b=(b"h.x",))], [True]),  # it was the wildcard's
        ([of(a=(b"*.x",), b=(b"h.x",)), of(a=(b"*.x",))], [True]),
        ([of(a=(b"*.x",)), of(b=(b"*.x",))], [True]),
        ([of(a=()), of(a=(), b=(b"h",))], [True]),  # it was everybody's
        ([of(a=()), of(b=())], [True]),
        ([of(a=()), of(a=())], [False]),
    ],
)
def test_a_host_that_belongs_to_another_site_is_noticed(reloads: list[SiteTable], moves: list[bool]):
    homes = Homes(reloads[0])
    assert [homes.moved(sites) for sites in reloads[1:]] == moves
