"""What differs between two settings, and what a running node takes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.semantics.rules import SiteRules
from edge.settings.change import Change, compare, rolled, without_restart
from edge.settings.network import Network, Pop
from edge.settings.node import ListenAddress, LogSettings, LogTarget, MemorySettings, NodeSettings
from edge.settings.sites import SiteTable
from edge.wire.limits import Limits


def sites(**max_bodies: int) -> SiteTable:
    rules = (
        SiteRules(name=name, hostnames=(f"{name}.org".encode(),), max_request_body=size)
        for name, size in max_bodies.items()
    )
    return SiteTable(rules)


OLD = NodeSettings(sites=sites(a=1, b=1, c=1), file=Path("edge.toml"))
NEW = replace(
    OLD,
    listen=(ListenAddress("0.0.0.0", 80),),
    memory=MemorySettings(capacity=1),
    limits=Limits(request_head=1024, request_line=1024),
    log=LogSettings(access=LogTarget.OFF),
    sites=sites(b=2, c=1, d=1),
)


def test_every_difference_is_named_with_what_it_takes():
    assert compare(OLD, NEW) == Change(
        live=("limits.request_line", "limits.request_head", "log.access"),
        roll=("memory.capacity",),
        restart=("node.listen",),
        sites_added=("d",),
        sites_removed=("a",),
        sites_changed=("b",),
    )


def test_the_same_settings_differ_in_nothing():
    assert compare(OLD, replace(OLD, sites=sites(a=1, b=1, c=1))) == Change((), (), (), (), (), ())


def test_what_needs_a_restart_keeps_its_old_value():
    taken = without_restart(OLD, NEW)
    assert (taken.listen, taken.memory) == (OLD.listen, OLD.memory)
    assert (taken.limits, taken.log, taken.sites) == (NEW.limits, NEW.log, NEW.sites)
    assert (compare(OLD, taken).roll, compare(OLD, taken).restart) == ((), ())
    assert (compare(taken, NEW).roll, compare(taken, NEW).restart) == (("memory.capacity",), ("node.listen",))


def test_what_needs_a_restart_of_workers_is_taken_when_they_are_replaced():
    taken = rolled(OLD, NEW)
    assert (taken.listen, taken.memory) == (OLD.listen, NEW.memory)
    assert (taken.limits, taken.log, taken.sites) == (NEW.limits, NEW.log, NEW.sites)
    assert (compare(taken, NEW).roll, compare(taken, NEW).restart) == ((), ("node.listen",))


def test_another_network_file_counts_after_a_restart_and_another_content_at_once():
    first, second = Network(file=Path("network.toml")), Network(pops=(Pop("fra"),))
    old = replace(OLD, network_file=Path("network.toml"), network=first)
    assert without_restart(old, replace(old, network=second)).network == second
    elsewhere = replace(old, network_file=Path("other.toml"), network=second)
    kept = without_restart(old, elsewhere)
    assert (kept.network_file, kept.network) == (Path("network.toml"), first)
    assert without_restart(OLD, elsewhere).network is None
