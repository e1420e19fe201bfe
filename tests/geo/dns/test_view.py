"""The nearest zone answers."""

from edge.geo.dns.names import name_of
from edge.settings.dns import EcsSettings
from tests.kit.nameservers import view_of, zone_of

INNER = "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n"


def test_a_name_is_in_the_longest_of_our_zones():
    view = view_of(None, zone_of(), zone_of(INNER, "inner.cdn.example.", ()))
    found = [
        view.zone_of(name_of(text)) for text in ("x.inner.cdn.example.", "x.cdn.example.", "example.", ".")
    ]
    assert [zone and zone.origin for zone in found] == [
        name_of("inner.cdn.example."),
        name_of("cdn.example."),
        None,
        None,
    ]


def test_the_finest_that_is_looked_at_depends_on_the_family():
    view = view_of(ecs=EcsSettings(max_v4=20, max_v6=48))
    assert (view.finest(1), view.finest(2)) == (20, 48)
