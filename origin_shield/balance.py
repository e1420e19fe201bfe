"""In which order a site's origins are asked. PURE.

Owns: `Balancer` and `Candidate`. Rules: backups come after all others, in their order; who has just returned gets a part of
what it would get; every candidate is in the order, so that a next one is there when the first cannot be had. Round robin is the
smooth one (by turns in proportion to the weights, never many in a row to one); "hash" is the ring's rendezvous: an origin that
goes moves only its own targets. No chance is needed, so none is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from edge.semantics.rules import Balance
from origin_shield.ring import score


@dataclass(frozen=True, slots=True)
class Candidate:
    """An origin that may be asked. name: its own among the site's. load: requests under way to it from here.

    share: 0 to 1, less than 1 for one that has just returned.
    """

    name: str
    weight: int = 1
    load: int = 0
    share: float = 1.0
    is_backup: bool = False

    @property
    def worth(self) -> float:
        """Its weight as of now."""
        return self.weight * self.share


class Balancer:
    """The choice of one site in one worker; it remembers whose turn it is."""

    __slots__ = ("_credits", "policy")

    def __init__(self, policy: Balance) -> None:
        self.policy = policy
        self._credits: dict[str, float] = {}

    def order(self, candidates: Sequence[Candidate], target: bytes) -> tuple[Candidate, ...]:
        """All of them, the one to be asked first in front. target: what is asked for, for "hash"."""
        primaries = [candidate for candidate in candidates if not candidate.is_backup]
        backups = [candidate for candidate in candidates if candidate.is_backup]
        if len(primaries) < 2 or self.policy is Balance.ORDER:
            return self._in_turn((*primaries, *backups))
        return (*self._ordered(primaries, target), *backups)

    def _ordered(self, candidates: Sequence[Candidate], target: bytes) -> Sequence[Candidate]:
        match self.policy:
            case Balance.ORDER:
                return candidates
            case Balance.ROUND_ROBIN:
                return self._round(candidates)
            case Balance.LEAST:
                turn = {candidate.name: at for at, candidate in enumerate(self._round(candidates))}
                return sorted(candidates, key=lambda c: ((c.load + 1) / c.worth, turn[c.name]))
            case Balance.HASH:
                return sorted(candidates, key=lambda c: -score(target, c.name.encode(), c.worth))
            case _ as never:
                assert_never(never)

    def _in_turn(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """As they stand; one that has just returned is in front for its share of the requests."""
        for at, candidate in enumerate(candidates):
            credit = 1.0
            if candidate.share < 1.0:
                credit = self._credits.get(candidate.name, 0.0) + candidate.share
                self._credits[candidate.name] = credit - (credit >= 1.0)
            if credit >= 1.0:
                return (candidate, *candidates[:at], *candidates[at + 1 :])
        return tuple(candidates)

    def _round(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        owed = self._credits
        for candidate in candidates:
            owed[candidate.name] = owed.get(candidate.name, 0.0) + candidate.worth
        order = sorted(candidates, key=lambda c: -owed[c.name])
        owed[order[0].name] -= sum(candidate.worth for candidate in candidates)
        return order
