"""What the origin of a soak has, what purges name of it, and what an answer looks like. PURE.

Owns: `Page`, `Kind`, `Wanted`, `choose`, `content`, `version_of`. Rules: each page has a version, which stands in its body
over and over, so that an answer put together of two versions is noticed; which pages a purge names is worked out here from
the layout alone, and not by the code under test.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

SECTIONS = ("news", "shop", "docs", "many")
PAGES_A_SECTION = 6
LANGUAGES = ("de", "fr")
VARIED = "many"
"""The section whose pages have a variant for each language."""

SITES = {"paper": "paper.example", "store": "store.example"}
"""By name, the host."""

SIZES = (200, 2_000, 20_000, 90_000)
"""Bytes of bodies, by a page's number: in a row of the disk's index and in a file of its own."""

_FIRST_LINE = re.compile(rb"([^ \n]+) ([a-z]*) v([0-9]{1,12})\n")


@dataclass(frozen=True, slots=True, order=True)
class Page:
    """One stored response: a path of a host, in one language. language: "" = it has no variants."""

    site: str
    section: str
    number: int
    language: str = ""

    @property
    def host(self) -> str:
        """Of its site."""
        return SITES[self.site]

    @property
    def path(self) -> str:
        """Origin-form."""
        return f"/{self.section}/{self.number}"

    @property
    def url(self) -> str:
        """As a purge names it."""
        return f"http://{self.host}{self.path}"

    @property
    def tags(self) -> tuple[str, ...]:
        """As the origin says them."""
        return (self.section, f"{self.section}-{self.number}", f"odd-{self.number % 2}")


PAGES = tuple(
    Page(site, section, number, language)
    for site in SITES
    for section in SECTIONS
    for number in range(PAGES_A_SECTION)
    for language in (LANGUAGES if section == VARIED else ("",))
)


# --- answers ---------------------------------------------------------------------------------------------------------


def content(page: Page, version: int) -> bytes:
    """The body of a page."""
    first = f"{page.host}{page.path} {page.language} v{version}\n".encode()
    filling = b"%d " % version
    size = SIZES[page.number % len(SIZES)]
    return (first + filling * (size // len(filling) + 1))[:size]


def version_of(page: Page, body: bytes) -> int | None:
    """The version in a body; None when it is not, to the last byte, what the origin has ever sent for that page."""
    found = _FIRST_LINE.match(body)
    if found is None:
        return None
    version = int(found[3])
    return version if body == content(page, version) else None


# --- purges ----------------------------------------------------------------------------------------------------------


class Kind(Enum):
    """A kind of selector."""

    URL = "url"
    VARIANT = "variant"
    TAG = "tag"
    PREFIX = "prefix"
    HOST = "host"
    SITE = "site"
    EVERYTHING = "everything"


WEIGHTS = {
    Kind.URL: 30,
    Kind.VARIANT: 12,
    Kind.TAG: 24,
    Kind.PREFIX: 14,
    Kind.HOST: 8,
    Kind.SITE: 7,
    Kind.EVERYTHING: 5,
}
SOFT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A purge to be made. said: the body of the API's request. pages: all that it names, in any site."""

    kind: Kind
    said: Mapping[str, object]
    pages: tuple[Page, ...]

    @property
    def is_soft(self) -> bool:
        """What it names becomes stale instead of gone."""
        return bool(self.said.get("soft"))


def choose(dice: random.Random, pages: Sequence[Page] = PAGES) -> Wanted:
    """Any purge, of one page at least."""
    kind = dice.choices(tuple(WEIGHTS), weights=tuple(WEIGHTS.values()))[0]
    wanted = of_kind(
        kind, dice.choice([page for page in pages if page.language or kind is not Kind.VARIANT]), pages
    )
    if dice.random() < SOFT_SHARE:
        return Wanted(wanted.kind, {**wanted.said, "soft": True}, wanted.pages)
    return wanted


def of_kind(kind: Kind, page: Page, pages: Sequence[Page] = PAGES) -> Wanted:
    """The purge of that kind that names `page`."""
    match kind:
        case Kind.URL:
            return Wanted(kind, {"urls": [page.url]}, tuple(each for each in pages if each.url == page.url))
        case Kind.VARIANT:
            variant = {"url": page.url, "headers": {"Accept-Language": page.language}}
            return Wanted(kind, {"variants": [variant]}, (page,))
        case Kind.TAG:
            tag = page.tags[page.number % len(page.tags)]
            tagged = tuple(each for each in pages if each.site == page.site and tag in each.tags)
            return Wanted(kind, {"site": page.site, "tags": [tag]}, tagged)
        case Kind.PREFIX:
            below = tuple(each for each in pages if (each.host, each.section) == (page.host, page.section))
            return Wanted(kind, {"prefixes": [f"{page.host}/{page.section}"]}, below)
        case Kind.HOST:
            return Wanted(
                kind, {"hosts": [page.host]}, tuple(each for each in pages if each.host == page.host)
            )
        case Kind.SITE:
            return Wanted(
                kind, {"sites": [page.site]}, tuple(each for each in pages if each.site == page.site)
            )
        case Kind.EVERYTHING:
            return Wanted(kind, {"everything": True}, tuple(pages))
        case _ as never:
            assert_never(never)
