"""Certificates cross to a worker in parts, and come into force whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.errors import EdgeError
from edge.measures import Measures
from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, TlsRules
from edge.server.orders import Certify, Seal, decode, encode
from edge.server.worker_tls import PART_BYTES, WorkerTls, certify
from edge.settings.node import NodeSettings
from edge.settings.sites import SiteTable
from edge.tls.contexts import Materials, Slot
from edge.wire.client_hello import ClientHello
from tests.kit.certificates import Authority
from tests.kit.tls import pair_for


def sent(materials: Materials, *, at_once: bool = True) -> list[Certify]:
    """What a worker gets, over the line."""
    received = [decode(encode(order)) for order in certify(materials, at_once=at_once)]
    assert all(isinstance(order, Certify) for order in received)
    return received  # type: ignore[return-value]


async def test_a_worker_makes_of_it_what_the_supervisor_had(authority: Authority):
    tls = WorkerTls(Measures().registry)
    pairs = [pair_for(authority, "a.test"), pair_for(authority, "b.test")]
    (order,) = sent(Materials(pairs, {"ca.pem": b"x\n"}))
    supplied = [tls.is_supplied]
    assert tls.certify(order)
    supplied.append(tls.is_supplied)
    assert supplied == [False, True]
    await tls.renew(NodeSettings())
    assert isinstance(tls.contexts().choose(ClientHello(b"b.test")), Slot)


async def test_many_come_in_parts_and_none_of_them_counts_before_the_last(authority: Authority):
    pair = pair_for(authority, "a.test")
    large = replace(
        pair, material=replace(pair.material, chain=pair.material.chain + b"\n" * (PART_BYTES // 3))
    )
    orders = sent(Materials([large] * 7, {"ca.pem": b"x"}), at_once=False)
    assert [len(order.pairs) for order in orders] == [2, 2, 2, 1]
    assert [order.more for order in orders] == [True, True, True, False]
    assert [len(order.authorities) for order in orders] == [0, 0, 0, 1]
    tls = WorkerTls(Measures().registry)
    for order in orders:
        assert not tls.is_supplied
        assert not tls.certify(order)
    assert tls.is_supplied
    assert sent(Materials())[0].pairs == []


async def test_what_comes_again_is_used_on_what_was_renewed_is_new_and_what_is_gone_is_gone(
    authority: Authority,
):
    tls = WorkerTls(Measures().registry)
    stays = pair_for(authority, "stays.test")

    async def known(*others: str) -> list[bool]:
        for order in sent(Materials([stays, pair_for(authority, *others)])):
            tls.certify(order)
        await tls.renew(NodeSettings())
        names = (b"stays.test", b"a.test", b"b.test")
        return [isinstance(tls.contexts().choose(ClientHello(name)), Slot) for name in names]

    assert await known("a.test") == [True, True, False]
    assert await known("a.test", "b.test") == [True, True, True]
    assert await known("b.test") == [True, False, True]


async def test_secrets_can_come_before_and_after_the_certificates(authority: Authority):
    tls = WorkerTls(Measures().registry)
    for order in sent(Materials([pair_for(authority, "a.test")])):
        tls.certify(order)
    await tls.renew(NodeSettings())
    slot = tls.contexts().choose(ClientHello(b"a.test"))
    assert isinstance(slot, Slot)
    formers = [slot.keys]
    assert tls.measures.tickets_shared.value == 0
    tls.seal(Seal("00" * 32))
    formers.append(slot.keys)
    tls.seal(Seal("11" * 32, "00" * 32))
    formers.append(slot.keys)
    assert [keys and keys.former is not None for keys in formers] == [None, False, True]
    await tls.renew(NodeSettings())
    renewed = tls.contexts().choose(ClientHello(b"a.test"))
    assert isinstance(renewed, Slot) and renewed is not slot and renewed.keys == slot.keys
    assert tls.measures.tickets_shared.value == 1


async def test_settings_that_name_what_was_not_given_are_refused(authority: Authority):
    tls = WorkerTls(Measures().registry)
    for order in sent(Materials([pair_for(authority, "a.test")])):
        tls.certify(order)
    rules = SiteRules(tls=TlsRules(client=ClientPolicy(ClientAuth.REQUIRED, "ca.pem")))
    with pytest.raises(EdgeError, match="ca.pem"):
        await tls.renew(NodeSettings(sites=SiteTable([rules])))
