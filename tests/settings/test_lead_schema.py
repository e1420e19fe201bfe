"""What a site can say of redirects and countries, and what is no host and no path."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.redirect_rules import NO_REDIRECTS, NODE, POP, Redirect, RedirectRules
from edge.semantics.rules import COUNTRY, SiteRules
from edge.settings.document import parse
from edge.settings.lead_schema import HostTemplate, PathStart
from edge.settings.problems import Problem, Refused
from edge.settings.site_file import read_site

SITE = 'hostnames = ["www.example.org"]\norigins = ["http://127.0.0.1:3000"]\n'


def read(text: str) -> tuple[SiteRules, list[Problem]]:
    document = parse("site.toml", (SITE + text).encode())
    placed, problems = read_site(document, document.table, env={}, folder=Path())
    return placed.rules, problems


def test_a_site_says_where_its_clients_are_sent():
    rules, problems = read(
        '[redirect]\nanswer = "307"\npop_host = "Edge-{pop}.cdn.example.net"\nby_path = ["/video/"]\njson = true\n'
    )
    assert problems == []
    assert rules.redirect == RedirectRules(
        Redirect.TEMPORARY, b"edge-{pop}.cdn.example.net", b"{node}.{host}", (b"/video/",), True
    )
    assert read("")[0].redirect == NO_REDIRECTS


@pytest.mark.parametrize(
    ("said", "countries", "headers"),
    [
        ("", None, ()),
        ('country = "off"', None, ()),
        ('country = "each"', frozenset(), (COUNTRY,)),
        ('country = ["DE", "AT"]\nheaders = ["X-Beta"]', frozenset({"DE", "AT"}), (b"x-beta", COUNTRY)),
    ],
)
def test_countries_in_the_key_are_a_key_header_of_ours(
    said: str, countries: frozenset[str] | None, headers: tuple[bytes, ...]
):
    rules, problems = read(f"[key]\n{said}\n")
    assert problems == []
    assert (rules.key.countries, rules.key.headers) == (countries, headers)


def test_the_field_with_the_country_is_not_for_others_to_name():
    _, (problem,) = read('[key]\nheaders = ["X-Geo-Country"]\n')
    assert "write key.country" in str(problem)


@pytest.mark.parametrize(
    "said",
    [
        3,
        "",
        "cdn.example.net",
        "{pop}.{pop}.{host}",
        "{node}.{host}",
        "{host}.{pop}",
        "{pop}{host}",
        "{pop}..{host}",
        ".{pop}.{host}",
        "{pop}_x.{host}",
        "{pop}.{host}:80",
        "{pop}." + "a" * 200,
        "{pop}.exämple.org",
    ],
)
def test_what_makes_no_host_is_refused(said: object):
    with pytest.raises(Refused):
        HostTemplate(POP).read(said)


def test_a_host_is_written_as_it_is_read():
    for kind, said in ((HostTemplate(NODE), "{node}.{host}"), (HostTemplate(POP), "x-{pop}.example.net")):
        assert kind.write(kind.read(said)) == f'"{said}"'
        assert "{host}" in kind.allowed()


@pytest.mark.parametrize("said", ["", "video/", "/a b", "/a?b", "/a#b", "/ä", "/" + "a" * 200, 5])
def test_what_begins_no_path_is_refused(said: object):
    with pytest.raises(Refused):
        PathStart().read(said)


def test_a_path_is_written_as_it_is_read():
    assert PathStart().write(PathStart().read("/video%20s/")) == '"/video%20s/"'
