"""Which POPs are drained by command, wherever the command was given. PURE.

Owns: `Drain`, `Drains`. Rules: every vantage point keeps all commands and says them again with each of its opinions, so that
one that restarts, or was away, has them a moment later, and no server has to be asked for them. For each POP the latest
command counts: to have drained a POP and to have taken that back are both commands. A command that is given by somebody who
knows an earlier one is later than it, whatever the clocks say; of two that are equally late the same one wins everywhere.
POPs that the network does not have are not kept: so there are never more commands than POPs.

Times are unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

TICK = 0.001
"""By how much a command is later than the one that it replaces, at least."""
MAX_AHEAD = 3600.0
"""A command from further in the future is not believed: it could not be taken back before then."""
MAX_BY = 64

_BY = re.compile(r"[\w.@+\- ]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class Drain:
    """A command. at: when it was given. by: the vantage point that was told it."""

    at: float
    drained: bool
    by: str


class Drains:
    """See the module. pops: of the network; may be replaced at any time by `know`."""

    def __init__(self, pops: Iterable[str]) -> None:
        self._pops = frozenset(pops)
        self._latest: dict[str, Drain] = {}

    def know(self, pops: Iterable[str]) -> None:
        """The network has these POPs now."""
        self._pops = frozenset(pops)
        self._latest = {pop: drain for pop, drain in self._latest.items() if pop in self._pops}

    def order(self, pop: str, drained: bool, by: str, now: float) -> Drain:
        """A command that was given here. KeyError when the network has no such POP."""
        if pop not in self._pops:
            raise KeyError(pop)
        known = self._latest.get(pop)
        at = now if known is None else max(now, known.at + TICK)
        self._latest[pop] = made = Drain(at, drained, by)
        return made

    def merge(self, said: Mapping[str, Drain], now: float) -> bool:
        """Take what another knows; whether something changed."""
        changed = False
        for pop, drain in said.items():
            if pop not in self._pops or drain.at > now + MAX_AHEAD:
                continue
            known = self._latest.get(pop)
            if known is None or drain > known:
                self._latest[pop] = drain
                changed = True
        return changed

    @property
    def latest(self) -> Mapping[str, Drain]:
        """The latest command for each POP that there is one for."""
        return MappingProxyType(self._latest)

    @property
    def drained(self) -> frozenset[str]:
        """The POPs that are drained."""
        return frozenset(pop for pop, drain in self._latest.items() if drain.drained)


def said_of(drains: Mapping[str, Drain]) -> dict[str, object]:
    """For JSON."""
    return {pop: [drain.drained, drain.at, drain.by] for pop, drain in drains.items()}


def heard_of(said: object, most: int) -> dict[str, Drain]:
    """What `said_of` said. ValueError for anything else, and for more than `most` of them."""
    if not isinstance(said, dict) or len(said) > most:
        raise ValueError("no table of drains, or a long one")
    return {_text(pop): _drain(drain) for pop, drain in said.items()}


def _text(said: object) -> str:
    if not isinstance(said, str) or _BY.fullmatch(said) is None:
        raise ValueError(f"{str(said)[:80]!a} is no name")
    return said


def _drain(said: object) -> Drain:
    if not isinstance(said, list) or len(said) != 3:
        raise ValueError("no drain")
    drained, at, by = said
    if not isinstance(drained, bool) or not (type(at) is float or type(at) is int) or not 0 <= at <= 1e12:
        raise ValueError("no drain")
    return Drain(float(at), drained, _text(by))
