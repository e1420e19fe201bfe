"""Where the bus is: made from settings, handed on as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.bus.address import BusAddress, subject_token
from edge.settings.node import NatsSettings

SHARED = NatsSettings(
    url=("tls://a.test:4222", "tls://b.test:4222"),
    credentials=Path("/etc/p/x.creds"),
    nkey=Path("/etc/p/seed"),
    token="secret",
    ca_file=Path("/etc/p/ca.pem"),
    cert_file=Path("/etc/p/c.pem"),
    key_file=Path("/etc/p/k.pem"),
    prefix="net",
    stream="NET",
    domain="hub",
    max_age=3600.0,
    max_bytes=1 << 24,
)


def test_a_network_s_servers_are_taken_from_the_settings():
    address = BusAddress.of(SHARED)
    assert address.urls == SHARED.url
    assert (address.token, address.credentials, address.nkey) == ("secret", "/etc/p/x.creds", "/etc/p/seed")
    assert (address.ca_file, address.cert_file, address.key_file) == (
        "/etc/p/ca.pem",
        "/etc/p/c.pem",
        "/etc/p/k.pem",
    )
    assert (address.prefix, address.stream, address.max_age, address.max_bytes) == (
        "net",
        "NET",
        3600.0,
        1 << 24,
    )
    assert not address.is_own


def test_a_server_of_our_own_takes_the_place_of_all_that_is_said_of_others():
    address = BusAddress.of(SHARED, own_url="nats://127.0.0.1:9", own_token="t1")
    assert (address.urls, address.token, address.is_own) == (("nats://127.0.0.1:9",), "t1", True)
    assert (address.credentials, address.nkey, address.ca_file, address.domain) == (None, None, None, None)
    assert (address.prefix, address.stream) == ("net", "NET")


@pytest.mark.parametrize(
    "replicas,own,kept",
    [(None, "", 3), (None, "nats://127.0.0.1:9", 1), (5, "", 5), (1, "", 1), (2, "nats://127.0.0.1:9", 2)],
)
def test_three_servers_keep_the_log_unless_it_is_ours_or_the_settings_say_otherwise(replicas, own, kept):
    assert (
        BusAddress.of(NatsSettings(url=("nats://a:4222",), replicas=replicas), own_url=own).replicas == kept
    )


def test_it_is_the_same_after_a_trip_to_another_process():
    address = BusAddress.of(SHARED)
    assert BusAddress.from_json(json.loads(json.dumps(address.as_json()))) == address


def test_its_token_is_not_shown():
    assert "secret" not in repr(BusAddress.of(SHARED))


def test_subjects_begin_with_the_network_s_prefix():
    address = BusAddress.of(SHARED)
    assert address.log_subjects == "net.log.>"
    assert address.live_subjects == "net.live.>"
    assert {address.order_subject, address.tick_subject, address.history_subject} == {
        "net.log.order",
        "net.log.tick",
        "net.log.history",
    }
    assert address.beat_subject == "net.beat"


@pytest.mark.parametrize(
    "domain,subject", [(None, "$JS.API.STREAM.INFO.X"), ("hub", "$JS.hub.API.STREAM.INFO.X")]
)
def test_jetstream_is_asked_by_its_domain_where_it_has_one(domain, subject):
    assert BusAddress(urls=("nats://a:1",), domain=domain).api("STREAM.INFO.X") == subject


@pytest.mark.parametrize("node", ["a", "a.b", "a..b", "a.", "a-b_c"])
def test_a_name_is_one_token_of_a_subject(node: str):
    token = subject_token(node)
    assert "." not in token
    assert token.replace("=", ".") == node


def test_a_name_with_dots_keeps_its_parts():
    assert subject_token("dns.fra.example") == "dns=fra=example"
