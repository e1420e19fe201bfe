"""Every part of SiteRules is a setting, and nothing written means the rules' own defaults."""

from __future__ import annotations

import tomllib

from edge.semantics.rules import SiteRules
from edge.settings.site_schema import SITE
from tests.settings.test_node_schema import leaves

BY_OTHERS = {"name", "origin.is_ours", "tls.client"}
"""A default that depends on the file; what no site's origin is; what comes of what the node says, too."""


def test_every_part_of_the_rules_is_a_setting():
    into = {target for setting in SITE.settings.values() for target in setting.into.split()}
    assert into == set(leaves(SiteRules())) - BY_OTHERS


def test_what_is_required_is_a_setting_and_its_example_is_right():
    for path, example in SITE.required.items():
        SITE.settings[path].kind.read(tomllib.loads(f"k = {example}")["k"])


def test_nothing_in_a_site_needs_a_restart():
    assert not [path for path, setting in SITE.settings.items() if setting.restart]


def test_secrets_are_taken_from_the_environment_only_where_values_of_fields_are():
    secret = {path for path, setting in SITE.settings.items() if setting.secret}
    sides = ("to_origin", "from_origin", "to_client")
    assert secret == {f"headers.{side}.{edit}" for side in sides for edit in ("set", "add")}
