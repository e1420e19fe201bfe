"""The settings of a site about where its clients are: redirects to the nearest edge, and countries in keys. PURE.

Rules: edge.settings.schema; the defaults stand in edge.semantics.redirect_rules and edge.semantics.rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.semantics.redirect_rules import HOST, NODE, POP, Redirect
from edge.settings.composed import ListOf, Or, SetOf
from edge.settings.geo_kinds import Country
from edge.settings.kinds import Choice, Flag, Kind
from edge.settings.problems import quoted, refused, shown
from edge.settings.schema import Setting

MAX_TEMPLATE = 200
MAX_PATHS = 100
MAX_COUNTRIES = 250

_REST = re.compile(rb"[a-z0-9\-.]*")
_PATH = re.compile(r"/[!-~]*")


@dataclass(frozen=True, slots=True)
class HostTemplate(Kind[bytes]):
    """A host with a name in it. name: what stands for the name, as in b"{pop}"."""

    name: bytes

    def read(self, value: object) -> bytes:
        """Lower case. The name stands once; {host} may stand at the end, after a dot."""
        text = value.lower().encode("ascii", "replace") if isinstance(value, str) else b""
        rest = text.removesuffix(HOST)
        whole = rest == text or rest.endswith(b".")
        if text.count(self.name) != 1 or len(text) > MAX_TEMPLATE or not whole:
            raise refused(
                f"{shown(value)} is no host with {self.name.decode()} in it", f"allowed: {self.allowed()}"
            )
        bare = rest.replace(self.name, b"x")
        if _REST.fullmatch(bare) is None or b".." in bare or bare.startswith((b".", b"-")):
            raise refused(f"{shown(value)} makes no host", f"allowed: {self.allowed()}")
        return text

    def allowed(self) -> str:
        """Its form."""
        name = self.name.decode()
        return f'a host with {name} in it, which may end in .{{host}}, as in "{name}.{{host}}" or "{name}.cdn.example.net"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


@dataclass(frozen=True, slots=True)
class PathStart(Kind[bytes]):
    """The beginning of paths."""

    def read(self, value: object) -> bytes:
        """As it stands in a request line."""
        text = value if isinstance(value, str) else ""
        if _PATH.fullmatch(text) is None or len(text) > MAX_TEMPLATE or set(text) & set("?#"):
            raise refused(f"{shown(value)} begins no path", f"allowed: {self.allowed()}")
        return text.encode("ascii")

    def allowed(self) -> str:
        """Its form."""
        return 'the beginning of a path, percent-encoded where a request has it so, as in "/video/"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))


SITE_LEAD = (
    Setting(
        "key.country",
        Or("off", None, Or("each", frozenset(), SetOf(ListOf(Country(), MAX_COUNTRIES, 1)))),
        "key.countries",
        'Countries that tell two clients apart, as in ["DE", "AT"]: all others are "other", and so is who is nowhere known. '
        '"each": every country by itself. What a client counts as reaches the origin as X-Geo-Country, which nobody else can '
        "set. A node that has this needs node.network, with databases.",
    ),
    Setting(
        "redirect.answer",
        Choice(tuple(Redirect)),
        "redirect.answer",
        "What GET and HEAD are answered of clients that another POP is the one for, by the site's [[route]] in the network "
        'file and their own address. "off": nobody looks. "count": they are served, and counted as far. "302", "307": they '
        "are sent there. Who was sent once is served wherever he arrives.",
    ),
    Setting(
        "redirect.pop_host",
        HostTemplate(POP),
        "redirect.pop_host",
        "The host that leads to one POP. It must be a host of this site, and lead there in DNS. What stands before {host} is "
        "taken off again on arrival: keys, purges and the origin see the host that the client had asked for first.",
    ),
    Setting(
        "redirect.node_host",
        HostTemplate(NODE),
        "redirect.node_host",
        "The same for one node, where redirect.by_path says so.",
    ),
    Setting(
        "redirect.by_path",
        ListOf(PathStart(), MAX_PATHS),
        "redirect.by_path",
        "Beginnings of paths whose clients are sent to one node of their POP, always the same for one path: for objects so "
        "large that a POP should not have them twice.",
    ),
    Setting(
        "redirect.json",
        Flag(),
        "redirect.json",
        'Whether the parameter format=json asks for a 200 with {"location": URL} instead of a redirect, for players and '
        "installers that choose by themselves.",
    ),
)
LEAD_TABLES = {"redirect": "Clients that another POP is the one for."}
