"""Keys of tickets: who can open whose, and whose they are."""

from __future__ import annotations

import ssl

import pytest

from edge.tls.tickets import KEY_BYTES, TicketKeys, TicketSecrets, get_keys, set_keys, without_session_cache


def test_a_context_has_the_keys_that_it_was_given():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = get_keys(context)
    given = bytes(range(KEY_BYTES))
    set_keys(context, given)
    assert get_keys(context) == given != own
    without_session_cache(context)
    assert get_keys(context) == given


def test_keys_differ_by_secret_and_by_policy_and_are_the_same_for_all_workers():
    secrets = TicketSecrets(b"a" * 32, b"b" * 32)
    keys = TicketKeys.of(secrets, b"nobody")
    assert keys == TicketKeys.of(secrets, b"nobody")
    assert len(keys.current) == KEY_BYTES
    assert keys.former == TicketKeys.of(TicketSecrets(b"b" * 32), b"nobody").current
    others = {TicketKeys.of(secrets, policy).current[:16] for policy in (b"x", b"y")}
    assert len({keys.current[:16], *others}) == 3
    assert TicketKeys.of(TicketSecrets(b"a" * 32), b"nobody").former is None


@pytest.mark.parametrize(("begins", "is_former"), [(b"", False), (b"x" * 16, False), (None, True)])
def test_a_ticket_is_known_by_how_it_begins(begins: bytes | None, is_former: bool):
    keys = TicketKeys.of(TicketSecrets(b"a" * 32, b"b" * 32), b"nobody")
    assert keys.former is not None
    assert keys.is_former(keys.former[:16] if begins is None else begins) is is_former
    assert not keys.is_former(keys.current[:16])
    assert not TicketKeys(keys.current).is_former(b"")


def test_secrets_are_not_shown():
    assert "aaaa" not in repr(TicketSecrets(b"a" * 32)) + repr(TicketKeys(b"a" * 80))
