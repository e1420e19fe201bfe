"""What each tier did for one response, by its Cache-Status (RFC 9211).

Owns: `Did`, `Deed`, `deeds`. Rules: members stand in the order in which they were added, the cache next to the client last, so
they are read from the end; behind a tier that answered by itself - a hit, or one that waited for another request's fill -
stands what was said when the response was fetched, for somebody else, and that is not counted again. A node that appears
twice did two things: its workers are one tier, and the one that asked is read first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge.semantics.structured import Item, NotStructured, Token, parse_list


class Did(Enum):
    """What a tier did for one request."""

    HIT = "hit"
    STALE = "stale hit"
    COLLAPSED = "collapsed"
    FORWARDED = "forwarded"
    ANSWERED = "answered itself"


@dataclass(frozen=True, slots=True)
class Deed:
    """One tier's. why: its fwd token or its detail, "" = nothing was said. stored: it keeps what came."""

    tier: str
    did: Did
    why: str = ""
    stored: bool = False


def deeds(cache_status: bytes | None) -> tuple[Deed, ...]:
    """Of one response, the tier next to the client first; () where nothing, or nothing readable, was said."""
    if cache_status is None:
        return ()
    try:
        members = parse_list(cache_status)
    except NotStructured:
        return ()
    found: list[Deed] = []
    for member in reversed(members):
        if not isinstance(member, Item) or not isinstance(member.value, str | Token):
            return ()
        deed = _deed(member)
        if not found or found[-1].tier != deed.tier:
            found.append(deed)
        elif found[-1].did is Did.FORWARDED:
            found[-1] = deed  # one worker asked another of its node: the node did what that one did
        if found[-1].did is not Did.FORWARDED:
            break
    return tuple(found)


def _deed(member: Item) -> Deed:
    said = dict(member.parameters)
    tier = member.value.value if isinstance(member.value, Token) else str(member.value)
    if said.get("hit") is True:
        ttl = said.get("ttl")
        is_stale = isinstance(ttl, int) and ttl < 0
        return Deed(tier, Did.STALE if is_stale else Did.HIT, _word(said.get("detail")))
    if "fwd" not in said:
        return Deed(tier, Did.ANSWERED, _word(said.get("detail")))
    did = Did.COLLAPSED if said.get("collapsed") is True else Did.FORWARDED
    return Deed(tier, did, _word(said["fwd"]), said.get("stored") is True)


def _word(value: object) -> str:
    return value.value if isinstance(value, Token) else value if isinstance(value, str) else ""
