"""The layout of a soak's origin, and what purges name of it."""

from __future__ import annotations

import random

import pytest

from tools.soaking.pages import PAGES, Kind, Page, choose, content, of_kind, version_of

NEWS = Page("paper", "news", 1)
GERMAN = Page("paper", "many", 1, "de")


@pytest.mark.parametrize("page", [NEWS, GERMAN, Page("store", "docs", 3)])
def test_a_body_tells_its_version(page: Page) -> None:
    for version in (1, 9, 10, 123_456):
        assert version_of(page, content(page, version)) == version


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("cut off", content(NEWS, 3)[:-1]),
        ("longer", content(NEWS, 3) + b"3"),
        ("of two versions", content(NEWS, 3)[:1000] + content(NEWS, 4)[1000:]),
        ("of another page", content(GERMAN, 3)),
        ("empty", b""),
        ("something else", b"<html>"),
    ],
)
def test_a_body_that_the_origin_never_sent_has_no_version(what: str, body: bytes) -> None:
    assert version_of(NEWS, body) is None, what


@pytest.mark.parametrize(
    ("kind", "page", "named"),
    [
        (Kind.URL, NEWS, {NEWS}),
        (Kind.URL, GERMAN, {GERMAN, Page("paper", "many", 1, "fr")}),
        (Kind.VARIANT, GERMAN, {GERMAN}),
        (Kind.TAG, NEWS, {NEWS}),
        (
            Kind.TAG,
            Page("paper", "news", 0),
            {page for page in PAGES if (page.site, page.section) == ("paper", "news")},
        ),
        (
            Kind.TAG,
            Page("paper", "news", 2),
            {page for page in PAGES if page.site == "paper" and page.number % 2 == 0},
        ),
        (Kind.PREFIX, NEWS, {page for page in PAGES if (page.site, page.section) == ("paper", "news")}),
        (Kind.HOST, NEWS, {page for page in PAGES if page.site == "paper"}),
        (Kind.SITE, NEWS, {page for page in PAGES if page.site == "paper"}),
        (Kind.EVERYTHING, NEWS, set(PAGES)),
    ],
)
def test_what_a_purge_names(kind: Kind, page: Page, named: set[Page]) -> None:
    assert set(of_kind(kind, page).pages) == named


def test_the_same_seed_chooses_the_same_purges_and_every_kind_comes() -> None:
    once, again = random.Random(3), random.Random(3)
    chosen = [choose(once) for _ in range(300)]
    assert chosen == [choose(again) for _ in range(300)]
    assert {wanted.kind for wanted in chosen} == set(Kind)
    assert {wanted.is_soft for wanted in chosen} == {True, False}
    assert all(wanted.pages for wanted in chosen)
