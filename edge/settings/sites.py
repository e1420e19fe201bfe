"""Which site a host belongs to. PURE.

Owns: `SiteTable`. Rules: the exact name wins, then the wildcard with the most labels, then the site that takes every
host. There is no cache of past answers: a look-up is one dictionary access for a name that is written out, and one more
per label for any other, so there is nothing that made-up Host fields could fill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge.semantics.key import primary_key
from edge.semantics.rules import SiteRules
from edge.semantics.selectors import Uri


class SiteTable:
    """All sites of a node; immutable. A host name stands in at most one site (edge.settings.load sees to that)."""

    __slots__ = ("_every", "_exact", "_wild", "longest_life", "sites")

    sites: tuple[SiteRules, ...]

    def __init__(self, sites: Iterable[SiteRules] = ()) -> None:
        self.sites = tuple(sites)
        self.longest_life = max((rules.freshness.max_life for rules in self.sites), default=0.0)
        """Seconds for which anything stored is used without being validated, at most."""
        exact: dict[bytes, SiteRules] = {}
        wild: dict[bytes, SiteRules] = {}
        every: SiteRules | None = None
        for rules in self.sites:
            if not rules.hostnames:
                assert every is None, f"two sites take every host: {every} and {rules}"
                every = rules
            for name in rules.hostnames:
                table, key = (wild, name[1:]) if name.startswith(b"*.") else (exact, name)
                assert key not in table, f"{name!r} stands in two sites"
                table[key] = rules
        self._exact, self._wild, self._every = exact, wild, every

    def find(self, host: bytes) -> SiteRules | None:
        """The site of a host, None = no site names it (421). host: `Authority.host`, lower case, without a port.

        `*.example.org` stands for every name below example.org at any depth, not for example.org itself.
        """
        found = self._exact.get(host)
        if found is not None:
            return found
        if self._wild:
            dot = host.find(b".")
            while dot > 0:
                found = self._wild.get(host[dot:])
                if found is not None:
                    return found
                dot = host.find(b".", dot + 1)
        return self._every

    def named(self, name: str) -> SiteRules | None:
        """The site of that name (`SiteRules.name`), None when there is none."""
        return next((rules for rules in self.sites if rules.name == name), None)

    def __iter__(self) -> Iterator[SiteRules]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SiteTable) and self.sites == other.sites

    __hash__ = None  # type: ignore[assignment]  # sites hold mappings

    def __repr__(self) -> str:
        return f"SiteTable({[rules.name for rules in self.sites]})"


NO_SITES = SiteTable()


class Homes:
    """Which site each host has belonged to, over reloads: purges by tag and site go by the name that it had at the time."""

    def __init__(self, sites: SiteTable) -> None:
        self._sites = sites
        self._names: dict[bytes, str] = {}
        self.moved(sites)

    def moved(self, sites: SiteTable) -> bool:
        """Take new sites; True when a host belongs to another one than it last did, be it for the second time."""
        before, self._sites = self._sites, sites
        written = {host for rules in sites for host in (rules.hostnames or (b"*",))}
        is_moved = False
        for host in written | self._names.keys():
            # A pattern stands for the names below it that no other entry has.
            asked = b"\0." + host.removeprefix(b"*").removeprefix(b".") if host.startswith(b"*") else host
            known = self._names.get(host) or _name_of(before, asked)
            name = _name_of(sites, asked)
            is_moved = is_moved or (known is not None and name is not None and known != name)
            if name is not None:
                self._names[host] = name
        return is_moved


def _name_of(sites: SiteTable, host: bytes) -> str | None:
    rules = sites.find(host)
    return None if rules is None else rules.name


def purged_keys(uri: Uri, sites: SiteTable) -> tuple[bytes, ...]:
    """The primary keys that a purged URL has by the rules of its site, on both default ports; () where no site is."""
    rules = sites.find(uri.authority.host)
    if rules is None:
        return ()
    return tuple(primary_key(authority, uri.target, rules.key) for authority in uri.authorities())
