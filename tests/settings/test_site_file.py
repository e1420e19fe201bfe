"""A site from its table: what must be there, what follows from what, and what two sites cannot share."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.rules import (
    CookieRule,
    HeaderEdit,
    OriginAddress,
    QueryRule,
    SetCookieRule,
    SiteRules,
    Timeouts,
    VaryNormal,
)
from edge.settings.document import parse
from edge.settings.problems import Problem
from edge.settings.site_file import PlacedSite, conflicts, read_site

LEAST = 'hostnames = ["a.org"]\norigins = ["http://127.0.0.1:3000"]\n'


def read(text: str, file: str = "sites/a.toml") -> tuple[PlacedSite, list[Problem]]:
    document = parse(file, text.encode())
    return read_site(document, document.table, env={}, folder=Path("sites"))


def rules(text: str) -> SiteRules:
    placed, problems = read(LEAST + text)
    assert problems == []
    return placed.rules


def test_a_site_that_says_the_least_has_the_default_rules():
    least = rules("")
    assert least.name == "a"
    assert least.hostnames == (b"a.org",)
    assert least.origin.origins == (OriginAddress(b"http", b"127.0.0.1", 3000),)
    default = SiteRules()
    for part in ("key", "vary", "freshness", "request", "headers", "store", "max_request_body", "collapse"):
        assert getattr(least, part) == getattr(default, part)


def test_everything_that_can_be_said_arrives():
    said = rules("""
        name = "shop"
        collapse = false
        [ttl]
        default = "10m"
        by_status = { 404 = "7s" }
        negative = "5s"
        [stale]
        if_error = "2h"
        [key]
        query = { allow = ["q"] }
        headers = ["X-Country"]
        cookies = ["lang"]
        [vary]
        normalise = { Accept-Language = "raw" }
        [cookies]
        request = "strip"
        set_cookie = "store"
        [headers.to_client]
        remove = ["Server"]
        set = { X-A = "1" }
        [timeouts]
        connect = "1s"
        [origin]
        host_header = "app.internal:81"
        tls_ca_file = "ca.pem"
        [limits]
        max_object = "1MiB"
        """)
    assert (said.name, said.collapse) == ("shop", False)
    assert said.freshness.default_ttl == 600.0
    assert dict(said.freshness.status_ttl) == {404: 7.0, 405: 5.0, 410: 5.0, 414: 5.0, 501: 5.0}
    assert said.freshness.stale_if_error == 7200.0
    assert (said.key.query, said.key.query_names) == (QueryRule.ALLOW, frozenset({b"q"}))
    assert (said.key.headers, said.key.cookies) == ((b"x-country",), (b"lang",))
    assert dict(said.vary.normalise) == {b"accept-language": VaryNormal.RAW}
    assert (said.store.cookie, said.store.set_cookie) == (CookieRule.STRIP, SetCookieRule.STORE)
    assert said.headers.to_client == HeaderEdit(remove=frozenset({b"server"}), set=((b"X-A", b"1"),))
    assert said.origin.timeouts == Timeouts(connect=1.0)
    assert (said.origin.host_header, said.origin.tls_ca_file) == (b"app.internal:81", "sites/ca.pem")
    assert said.store.max_object == 1024 * 1024


def test_a_cap_lowers_the_defaults_below_it():
    freshness = rules('[stale]\nmax_life = "10m"').freshness
    assert (freshness.max_life, freshness.max_ttl, freshness.stale_if_error) == (600.0, 600.0, 600.0)


@pytest.mark.parametrize(
    "text, said",
    [
        (
            'origins = ["http://a"]',
            ['sites/a.toml:1: the site has no hostnames; write hostnames = ["www.example.org"] at its top'],
        ),
        (
            'hostnames = ["a"]',
            ['sites/a.toml:1: the site has no origins; write origins = ["http://127.0.0.1:3000"] at its top'],
        ),
        (
            LEAST + 'ttl.by_status = { 404 = "2d" }',
            ['sites/a.toml:3: ttl.by_status.404: "2d" is more than ttl.max; lower it, or raise ttl.max'],
        ),
        (
            LEAST + '[ttl]\nmax = "2d"',
            [
                'sites/a.toml:4: ttl.max: "2d" is more than stale.max_life ("1d", its default); lower it, or raise stale.max_life'
            ],
        ),
        (
            LEAST + '[ttl]\nmin = "2m"\nmax = "1m"',
            ['sites/a.toml:4: ttl.min: "2m" is more than ttl.max ("1m"); lower it, or raise ttl.max'],
        ),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_said(text: str, said: list[str]):
    assert [str(problem) for problem in read(text)[1]] == said


def test_hosts_and_names_stand_in_one_site_only():
    first, _ = read('hostnames = ["a.org", "*.b.org"]', "one.toml")
    second, _ = read('\nhostnames = [\n "c.org",\n "a.org",\n]', "two.toml")
    third, _ = read('name = "one"\nhostnames = ["*"]', "three.toml")
    fourth, _ = read('hostnames = ["*"]', "four.toml")
    assert [str(problem) for problem in conflicts([first, second, third, fourth])] == [
        'two.toml:4: hostnames[1]: "a.org" is a host of another site, at one.toml:1; leave it out of one of them',
        'three.toml:1: name: the site is named "one", as is the one at one.toml:1; write another name in one of them',
        'four.toml:1: hostnames[0]: "*" is a host of another site, at three.toml:2; leave it out of one of them',
    ]


def test_hosts_that_could_not_be_read_conflict_with_none():
    broken = [read('hostnames = ["a b"]', f"{name}.toml")[0] for name in ("one", "two")]
    assert conflicts(broken) == []


def test_a_site_within_a_node_file_is_named_after_its_first_host():
    document = parse("edge.toml", b'[[site]]\nhostnames = ["a.org", "b.org"]\n[[site]]\nhostnames = ["*"]')
    tables = document.table["site"]
    assert isinstance(tables, list)
    names = [
        read_site(document, table, base=("site", n), env={}, folder=Path())[0].rules.name
        for n, table in enumerate(tables)
    ]
    assert names == ["a.org", "default"]
