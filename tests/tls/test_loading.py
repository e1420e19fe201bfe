"""From memory into OpenSSL, and nothing of it left behind."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from edge.tls.layout import Material, PairFault
from edge.tls.loading import load_into
from tests.kit.certificates import Authority
from tests.kit.process import descriptors


def test_a_pair_is_loaded_and_no_descriptor_stays(tmp_path: Path):
    chain, key = Authority.make(tmp_path).pair("a.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, Material("a", "a.crt", chain, key))
    before = len(descriptors())
    for _ in range(10):
        load_into(context, Material("a", "a.crt", chain, key))
    assert len(descriptors()) == before


def test_what_openssl_refuses_says_which_file(tmp_path: Path):
    authority = Authority.make(tmp_path)
    chain, _ = authority.pair("a.test")
    _, key = authority.pair("a.test")
    with pytest.raises(PairFault, match="a.crt: OpenSSL refuses it: KEY_VALUES_MISMATCH"):
        load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), Material("a", "a.crt", chain, key))
