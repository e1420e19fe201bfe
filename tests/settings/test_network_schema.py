"""Every part of a network is a setting, each with a default that is allowed; the example is the default written out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edge.settings.dns_schema import RECORD, ZONE
from edge.settings.network import Network
from edge.settings.network_file import load_network
from edge.settings.network_schema import NETWORK, NETWORK_NODE, POP, REGION, ROUTE
from edge.settings.node import ListenAddress
from edge.settings.schema import Schema

EXAMPLE = Path(__file__).parent.parent.parent / "config" / "network.toml"
SCHEMAS: dict[str, Schema[Any]] = {
    "network": NETWORK,
    "region": REGION,
    "pop": POP,
    "node": NETWORK_NODE,
    "route": ROUTE,
    "zone": ZONE,
    "record": RECORD,
}
BY_OTHERS = {
    "network": {"regions", "pops", "nodes", "routes", "dns.zones", "file"}
    | {f"nats.{name}" for name in ("stream", "domain", "replicas", "max_age", "max_bytes")}
    | {f"nats.{name}" for name in ("durability", "monitor", "server")},
    "zone": {"records", "text"},
    "record": {"name", "values"},
}
"""What the loader fills in; and of the bus, what is about the purge log that a node keeps on it."""


def leaves(model: object, at: str = "") -> Iterator[str]:
    assert is_dataclass(model)
    for field in fields(model):
        value: object = getattr(model, field.name)
        path = f"{at}{field.name}"
        if is_dataclass(value) and not isinstance(value, ListenAddress):
            yield from leaves(value, f"{path}.")
        else:
            yield path


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_part_of_the_model_is_a_setting(name: str):
    schema = SCHEMAS[name]
    into = {target for setting in schema.settings.values() for target in setting.into.split()}
    assert into == set(leaves(schema.model)) - BY_OTHERS.get(name, set())


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_default_is_allowed_and_in_order(name: str):
    schema = SCHEMAS[name]
    for path, setting in schema.settings.items():
        if path not in schema.required:
            default = schema.default(path)
            read = setting.kind.read(tomllib.loads(f"k = {setting.kind.write(default)}")["k"])
            assert read == default, path
    assert schema.settle({}) == ({}, ())


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_setting_stands_in_a_table_and_says_why(name: str):
    schema = SCHEMAS[name]
    for path, setting in schema.settings.items():
        assert path.rpartition(".")[0] in schema.tables
        assert setting.why.endswith(".")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_example_of_what_must_be_written_can_be_written(name: str):
    schema = SCHEMAS[name]
    for path, example in schema.required.items():
        schema.settings[path].kind.read(tomllib.loads(f"k = {example}")["k"])


def test_the_example_is_the_default_written_out():
    network, default = load_network(EXAMPLE, env={}), Network()
    assert (network.health, network.load) == (default.health, default.load)
    assert replace(network.dns, zones=()) == default.dns
    assert replace(network.geo, overrides=default.geo.overrides) == default.geo


def written_in(table: dict[str, Any], at: str = "") -> Iterator[str]:
    for name, value in table.items():
        path = f"{at}{name}"
        if isinstance(value, dict) and path not in NETWORK.settings:
            yield from written_in(value, f"{path}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for element in value:
                yield from written_in(element, f"{path}.")
        else:
            yield path


def test_the_example_shows_every_setting():
    arrays: dict[str, Schema[Any]] = {
        "region": REGION,
        "pop": POP,
        "node": NETWORK_NODE,
        "route": ROUTE,
        "zone": ZONE,
        "zone.record": RECORD,
    }
    known = {f"{name}.{path}" for name, schema in arrays.items() for path in schema.settings}
    assert set(written_in(tomllib.loads(EXAMPLE.read_text()))) == known | set(NETWORK.settings)
