"""Every part of NodeSettings is a setting, each with a default that is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.settings.node import ListenAddress, NodeSettings
from edge.settings.node_schema import NODE, AccessFormat
from edge.settings.problems import Refused
from edge.settings.schema import Schema
from edge.settings.site_schema import SITE

BY_OTHERS = {"sites", "file", "network"}
"""What the loader fills in, not a setting."""


def leaves(model: object, at: str = "") -> Iterator[str]:
    assert is_dataclass(model)
    for field in fields(model):
        value: object = getattr(model, field.name)
        path = f"{at}{field.name}"
        if is_dataclass(value) and not isinstance(value, ListenAddress):
            yield from leaves(value, f"{path}.")
        else:
            yield path


def test_every_part_of_the_model_is_a_setting():
    into = {setting.into for setting in NODE.settings.values()}
    assert into == set(leaves(NodeSettings())) - BY_OTHERS


@pytest.mark.parametrize("schema", [NODE, SITE], ids=["node", "site"])
def test_every_default_is_allowed_and_in_order(schema: Schema[Any]):
    for path, setting in schema.settings.items():
        default = schema.default(path)
        if path not in schema.required:
            read = setting.kind.read(tomllib.loads(f"k = {setting.kind.write(default)}")["k"])
            assert read == (str(default) if isinstance(default, Path) else default), path
    assert schema.settle({}) == ({}, ())


@pytest.mark.parametrize("schema", [NODE, SITE], ids=["node", "site"])
def test_every_setting_stands_in_a_table_and_says_why(schema: Schema[Any]):
    for path, setting in schema.settings.items():
        assert path.rpartition(".")[0] in schema.tables
        assert setting.why.endswith(".")


def test_what_each_worker_has_for_itself_needs_no_restart_of_the_node():
    """And nothing that its supervisor, its neighbours or its sockets know of counts before one."""
    rolled = {path for path, setting in NODE.settings.items() if setting.roll}
    assert {path.partition(".")[0] for path in rolled} == {"memory", "disk", "resolver"}
    assert all(NODE.settings[path].restart for path in rolled)
    for path in ("node.listen", "node.workers", "node.data_dir", "node.name", "purge.log", "tier.listen"):
        assert NODE.settings[path].restart
        assert path not in rolled


@pytest.mark.parametrize("form", ["combined", "json", '{client} "{request}" {{}}'])
def test_a_format_is_a_known_word_or_has_a_name_in_it(form: str):
    assert AccessFormat().read(form) == form


@pytest.mark.parametrize("form", ["jsn", "", "{time}\n", 3, "{time}" * 400])
def test_what_is_no_format_is_refused(form: object):
    with pytest.raises(Refused) as refusal:
        AccessFormat().read(form)
    [fault] = refusal.value.faults
    assert ('did you mean "json"' in fault.instead) == (form == "jsn")


@pytest.mark.parametrize(
    "form, wrong",
    [("{client} {tmie}", "{tmie} is not known"), ("{client} }", "the brace at character 10 has no partner")],
)
def test_a_format_with_a_slip_in_it_is_refused_at_the_start(form: str, wrong: str):
    with pytest.raises(Refused) as refusal:
        AccessFormat().read(form)
    [fault] = refusal.value.faults
    assert fault.wrong == wrong
    assert fault.instead
