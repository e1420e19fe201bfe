"""Keys: who may purge what. PURE.

Owns: `Key` with its scopes, `KeyRing`, and `allows`. Rules: the algorithm is a property of the key, never of the request
(RFC 9421 s7.3.6); a ring is immutable and replaced whole; a key that is revoked stays in it, so that its use is seen.
Rotation with overlap is two active keys; `not_after` ends the old one by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from edge.purge.signing.faults import Refused, SignatureFault
from edge.semantics.message import UnixSeconds


class Algorithm(Enum):
    """RFC 9421 s6.2.2; the values are the registered names."""

    ED25519 = "ed25519"
    HMAC_SHA256 = "hmac-sha256"


class KeyState(Enum):
    """Whether a key may be used."""

    ACTIVE = "active"
    REVOKED = "revoked"


class ScopeKind(Enum):
    """What a purge selects by, as it stands in key files and orders."""

    URL = "url"
    VARIANT = "variant"
    TAG = "tag"
    PREFIX = "prefix"
    HOST = "host"
    SITE = "site"
    EVERYTHING = "everything"


Wanted = tuple[str | None, ScopeKind]
"""(site, kind) of one purge; None = not of one site but of all."""

ALL_KINDS = frozenset(ScopeKind) - {ScopeKind.EVERYTHING}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key may purge. sites: names, None = every site. kinds: without EVERYTHING, which has its own flag."""

    sites: frozenset[str] | None = None
    kinds: frozenset[ScopeKind] = ALL_KINDS
    may_purge_everything: bool = False

    def fault_of(self, site: str | None, kind: ScopeKind) -> str | None:
        """Why it may not purge this; None when it may."""
        if kind is ScopeKind.EVERYTHING:
            return None if self.may_purge_everything and self.sites is None else "it may not purge everything"
        if kind not in self.kinds:
            return f"it may not purge by {kind.value}"
        if self.sites is None or site in self.sites:
            return None
        return "it may not purge every site" if site is None else f"it may not purge the site {site}"


@dataclass(frozen=True, slots=True)
class Key:
    """One key as a node holds it. material: the raw public key (32 bytes), or the HMAC secret.

    not_before, not_after: inclusive; None = no such end.
    """

    id: str
    algorithm: Algorithm
    material: bytes = field(repr=False)
    scope: Scope = Scope()
    state: KeyState = KeyState.ACTIVE
    not_before: UnixSeconds | None = None
    not_after: UnixSeconds | None = None
    comment: str = ""


class KeyRing:
    """All keys of a folder. Immutable. Two keys of one id are the caller's mistake."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        held = tuple(keys)
        self._keys = {key.id: key for key in held}
        assert len(self._keys) == len(held), "two keys have one id"

    def get(self, keyid: str) -> Key | None:
        """The key of that id, revoked or not; None when there is none."""
        return self._keys.get(keyid)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)


def allows(key: Key, wanted: Iterable[Wanted]) -> Refused | None:
    """None when the key's scope has all of it; else the first that it lacks, as WRONG_SCOPE."""
    for site, kind in wanted:
        why = key.scope.fault_of(site, kind)
        if why is not None:
            return Refused(SignatureFault.WRONG_SCOPE, why, key.id)
    return None
