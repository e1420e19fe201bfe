"""What a site may say of its origin's protection arrives in its rules, and what cannot be meant is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.rules import (
    Balance,
    OriginAddress,
    ProtectionRules,
    ShieldFallback,
    ShieldRules,
    SiteRules,
)
from edge.settings.document import parse
from edge.settings.problems import Problem
from edge.settings.protection_schema import SITE_PROTECTION
from edge.settings.schema import Setting
from edge.settings.site_file import read_site
from edge.settings.site_schema import SITE

LEAST = 'hostnames = ["a.org"]\norigins = ["http://127.0.0.1:3000", "http://127.0.0.1:3001"]\n'


def read(text: str) -> tuple[SiteRules, list[Problem]]:
    document = parse("a.toml", (LEAST + text).encode())
    placed, problems = read_site(document, document.table, env={}, folder=Path("sites"))
    return placed.rules, problems


def test_nothing_said_is_the_default():
    rules, problems = read("")
    assert (rules.protection, rules.shield, problems) == (ProtectionRules(), ShieldRules(), [])


def test_what_is_said_arrives():
    rules, problems = read("""
        [protection]
        max_in_flight = 50
        queue = 10
        queue_deadline = "2s"
        balance = "least"
        failure_statuses = [503]
        backups = ["http://127.0.0.1:3002"]
        weights = { "http://127.0.0.1:3000" = 3, "http://127.0.0.1:3002" = 2 }
        [protection.breaker]
        share = "off"
        [protection.ejection]
        failures = "off"
        share = 0.3
        [protection.check]
        path = "/up?x=1"
        [shield]
        fallback = "stale"
    """)
    said = rules.protection
    assert problems == []
    assert (said.max_in_flight, said.queue, said.queue_deadline) == (50, 10, 2.0)
    assert (said.balance, said.failure_statuses) == (Balance.LEAST, frozenset({503}))
    assert said.backups == (OriginAddress(b"http", b"127.0.0.1", 3002),)
    assert said.weights == {
        OriginAddress(b"http", b"127.0.0.1", 3000): 3,
        OriginAddress(b"http", b"127.0.0.1", 3002): 2,
    }
    assert said.breaker.share is None
    assert (said.ejection.failures, said.ejection.share) == (None, 0.3)
    assert said.check.path == b"/up?x=1"
    assert rules.shield.fallback is ShieldFallback.STALE


@pytest.mark.parametrize(
    "text,wrong",
    [
        ('backups = ["http://127.0.0.1:3001"]', "it stands in origins too"),
        (
            'weights = { "http://127.0.0.1:9" = 2 }',
            '"http://127.0.0.1:9" is neither in origins nor in protection.backups',
        ),
        ("failure_statuses = [200]", "200 is less than is allowed"),
        ("max_in_flight = 0", "0 is less than is allowed"),
        (
            'breaker = { rest = "2m", rest_max = "1m" }',
            '"2m" is more than protection.breaker.rest_max ("1m")',
        ),
        (
            'ejection = { time = "10m" }',
            '"10m" is more than protection.ejection.time_max ("5m", its default)',
        ),
        ("retry = { share = 1.5 }", "1.5 is outside of what is allowed"),
        ('check = { path = "up" }', '"up" is no path'),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(text: str, wrong: str):
    _, problems = read("[protection]\n" + text)
    assert [(problem.line, problem.wrong) for problem in problems] == [(4, wrong)]


@pytest.mark.parametrize("setting", SITE_PROTECTION, ids=[setting.path for setting in SITE_PROTECTION])
def test_each_setting_stands_where_its_value_goes(setting: Setting):
    assert setting.into == setting.path
    default = SITE.default(setting.path)
    assert setting.kind.write(default)
