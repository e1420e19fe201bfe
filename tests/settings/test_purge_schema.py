"""Where the purge log is and who may purge: what is no server is refused, and files are meant from the node file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.rules import OnLogLoss
from edge.settings.load import load_node
from edge.settings.node import Durability, PurgeLogKind
from edge.settings.problems import Refused, SettingsFault
from edge.settings.purge_schema import MonitorUrl, NatsUrl

SITE = '[[site]]\nhostnames = ["*"]\norigins = ["http://127.0.0.1:1"]\n'


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("nats://10.0.0.1", "nats://10.0.0.1:4222"),
        ("tls://nats.example.org:4333", "tls://nats.example.org:4333"),
        ("nats://[::1]:4222", "nats://[::1]:4222"),
    ],
)
def test_a_server_is_named_with_its_port(value: str, read: str):
    assert NatsUrl().read(value) == read
    assert NatsUrl().read(read) == read


@pytest.mark.parametrize(
    "value",
    [
        "10.0.0.1",
        "http://10.0.0.1",
        "nats://",
        "nats://user:pw@host",
        "nats://h:0",
        "nats://h:65536",
        "nats://h/x",
        1,
    ],
)
def test_what_is_no_server_is_refused(value: object):
    with pytest.raises(Refused):
        NatsUrl().read(value)


@pytest.mark.parametrize("value", ["10.0.0.1:8222", "nats://h:8222", "http://h/varz", None])
def test_what_is_no_monitoring_address_is_refused(value: object):
    assert MonitorUrl().read("http://h:8222/") == "http://h:8222"
    with pytest.raises(Refused):
        MonitorUrl().read(value)


def test_the_files_are_meant_from_the_node_file(tmp_path: Path):
    file = tmp_path / "edge.toml"
    file.write_text(
        '[nats]\nurl = "nats://a"\ncredentials = "a.creds"\nca_file = "/ca.pem"\ntoken = { env = "T" }\n'
        'durability = "trusted"\n[purge]\nkeys = "keys"\n' + SITE
    )
    settings = load_node(file, env={"T": "secret"})
    assert settings.nats.credentials == tmp_path / "a.creds"
    assert settings.nats.ca_file == Path("/ca.pem")
    assert (settings.nats.token, settings.nats.durability) == ("secret", Durability.TRUSTED)
    assert settings.purge.keys == tmp_path / "keys"
    assert settings.purge.log is PurgeLogKind.NATS


def test_a_site_says_what_a_silent_log_means(tmp_path: Path):
    file = tmp_path / "edge.toml"
    file.write_text(SITE + '[site.purge]\non_log_loss = "refuse"\nlog_loss_after = "20s"\n')
    (site,) = load_node(file, env={}).sites
    assert (site.purge.on_log_loss, site.purge.log_loss_after) == (OnLogLoss.REFUSE, 20.0)


@pytest.mark.parametrize(
    ("lines", "setting"),
    [
        ('[purge]\nlog = "redis"', "purge.log"),
        ("[purge]\nmax_items = 1001", "purge.max_items"),
        ('[purge]\nmax_age = "10s"\nskew = "20s"', "purge.skew"),
        ("[nats]\nreplicas = 6", "nats.replicas"),
        ('[nats]\nprefix = "a.b.>"', "nats.prefix"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(tmp_path: Path, lines: str, setting: str):
    file = tmp_path / "edge.toml"
    file.write_text(f"{lines}\n{SITE}")
    with pytest.raises(SettingsFault) as fault:
        load_node(file, env={})
    assert [problem.setting for problem in fault.value.problems] == [setting]
