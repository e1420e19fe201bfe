"""A key may purge what its scope says, and nothing else."""

from __future__ import annotations

import pytest

from edge.purge.signing.faults import SignatureFault
from edge.purge.signing.keys import ALL_KINDS, Algorithm, Key, KeyRing, Scope, ScopeKind, allows

ANY = Scope()
SHOP = Scope(sites=frozenset({"shop"}))
TAGS = Scope(kinds=frozenset({ScopeKind.TAG}))
ALL = Scope(may_purge_everything=True)

ROWS = [
    ("any site", ANY, [("shop", ScopeKind.URL), ("blog", ScopeKind.SITE)], None),
    ("a tag of every site", ANY, [(None, ScopeKind.TAG)], None),
    ("nothing at all", TAGS, [], None),
    ("its site", SHOP, [("shop", ScopeKind.URL)], None),
    ("another site", SHOP, [("shop", ScopeKind.URL), ("blog", ScopeKind.URL)], "it may not purge the site blog"),
    ("a site spelled otherwise", SHOP, [("Shop", ScopeKind.URL)], "it may not purge the site Shop"),
    ("every site", SHOP, [(None, ScopeKind.TAG)], "it may not purge every site"),
    ("its kind", TAGS, [("shop", ScopeKind.TAG)], None),
    ("another kind", TAGS, [("shop", ScopeKind.PREFIX)], "it may not purge by prefix"),
    ("everything, by a key for all kinds", ANY, [(None, ScopeKind.EVERYTHING)], "it may not purge everything"),
    ("everything, by a key for it", ALL, [(None, ScopeKind.EVERYTHING)], None),
    ("everything, by a key of a site", Scope(frozenset({"a"}), may_purge_everything=True), [(None, ScopeKind.EVERYTHING)], "it may not purge everything"),
    ("everything, named among kinds", Scope(kinds=frozenset(ScopeKind)), [(None, ScopeKind.EVERYTHING)], "it may not purge everything"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "scope", "wanted", "said"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_scope_allows(why, scope, wanted, said):
    refused = allows(Key("k", Algorithm.ED25519, b"", scope), wanted)
    if said is None:
        assert refused is None
    else:
        assert refused is not None
        assert (refused.fault, refused.detail, refused.keyid) == (SignatureFault.WRONG_SCOPE, said, "k")


def test_everything_is_not_one_of_all_kinds():
    assert ALL_KINDS | {ScopeKind.EVERYTHING} == set(ScopeKind)
    assert ScopeKind.EVERYTHING not in ALL_KINDS


def test_a_ring_finds_its_keys():
    keys = [Key(name, Algorithm.ED25519, b"") for name in ("a", "b")]
    ring = KeyRing(keys)
    assert (ring.get("a"), ring.get("c"), list(ring), len(ring)) == (keys[0], None, keys, 2)
    assert len(KeyRing()) == 0


def test_two_keys_of_one_id_are_a_mistake():
    with pytest.raises(AssertionError, match="one id"):
        KeyRing([Key("a", Algorithm.ED25519, b""), Key("a", Algorithm.HMAC_SHA256, b"")])


def test_a_key_does_not_show_its_secret():
    assert "secret" not in repr(Key("a", Algorithm.HMAC_SHA256, b"secret-bytes"))
