"""How an edge leads the clients of a site to other edges over HTTP. PURE.

Owns: `RedirectRules`, a part of `SiteRules`, and the form of the hosts that clients are sent to. Rules: a host that clients are
sent to is made of a template; where that ends in `{host}`, what stands before it says which edge was meant and is taken off
again there, so that one resource has one key, one URL to purge, and one Host at the origin, however its clients came to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

POP, NODE, HOST = b"{pop}", b"{node}", b"{host}"


class Redirect(Enum):
    """What a client gets that another POP is the one for."""

    OFF = "off"
    """Nobody looks (default)."""
    COUNT = "count"
    """It is served, and counted as far."""
    FOUND = "302"
    TEMPORARY = "307"


@dataclass(frozen=True, slots=True)
class RedirectRules:
    """Redirects of one site."""

    answer: Redirect = Redirect.OFF
    pop_host: bytes = b"{pop}.{host}"
    """Where clients of a POP are sent, lower case."""
    node_host: bytes = b"{node}.{host}"
    """The same where one node of a POP is meant."""
    by_path: tuple[bytes, ...] = ()
    """Beginnings of paths of which each belongs to one node of a POP: () = none does."""
    json: bool = False
    """Whether ?format=json asks for the answer as JSON, with status 200."""


NO_REDIRECTS = RedirectRules()


def filled(template: bytes, name: str, host: bytes) -> bytes:
    """The host that clients are sent to. name: of the POP or node. host: that they asked for."""
    said = name.lower().encode("ascii")
    return template.replace(POP, said).replace(NODE, said).replace(HOST, host)


def mark(template: bytes, name: str) -> bytes | None:
    """What a redirect to that POP or node puts before the host; None where it puts nothing before it."""
    return filled(template.removesuffix(HOST), name, b"") if template.endswith(HOST) else None
