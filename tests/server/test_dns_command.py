"""What `perigee dns` was told becomes the same network in every process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import ConfigFault
from edge.geo.dns.names import name_of
from edge.geo.dns.zones import zones_of
from edge.server.dns_command import MAX_ZONE_BYTES, Content, DnsCommand, keep_content, kept_content
from edge.settings.node import ListenAddress
from edge.settings.problems import SettingsFault
from tests.kit.dns_process import network


def command(tmp_path: Path, text: str | None = None) -> DnsCommand:
    file = tmp_path / "network.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    return DnsCommand(str(file), str(tmp_path / "data"))


def test_the_command_line_wins_over_the_file(tmp_path: Path):
    said = replace(command(tmp_path, network()), listen="127.0.0.1:5311", admin="off", workers="3")
    dns = said.network(said.content()).dns
    assert (dns.listen, dns.admin, dns.workers) == ((ListenAddress("127.0.0.1", 5311),), None, 3)
    assert dns.log == tmp_path / "routing.log"


def test_a_worker_makes_of_it_what_the_supervisor_did(tmp_path: Path):
    said = replace(command(tmp_path, network()), workers="2")
    content = said.content()
    keep_content(content, tmp_path / "kept.json")
    again = DnsCommand.from_json({**said.as_json(), "secret": "what the supervisor adds"})
    (tmp_path / "network.toml").write_text("half wri", encoding="utf-8")
    assert again == said
    assert again.network(kept_content(tmp_path / "kept.json")) == said.network(content)
    assert said.network(content).dns.zones[0].serial == content.changed


@pytest.mark.parametrize(
    ("option", "said", "wrong"),
    [("listen", "nowhere", "--listen"), ("workers", "many", "--workers"), ("workers", "0", "--workers"), ("admin", "x:y", "--admin")],
)  # fmt: skip
def test_an_option_that_cannot_be_read_is_named(tmp_path: Path, option: str, said: str, wrong: str):
    with pytest.raises(ConfigFault, match=f"^command line: {wrong}: "):
        of = replace(command(tmp_path, network()), **{option: said})
        of.network(of.content())


def test_a_file_that_is_not_there_is_said_with_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigFault, match=r"network\.toml: the network file cannot be read: No such file"):
        command(tmp_path).content()


@pytest.mark.parametrize(
    ("text", "kind", "wrong"),
    [
        (network().replace('hosts = ["www', 'host = ["www'), SettingsFault, "host"),
        (network().partition("[[zone]]")[0], ConfigFault, "there is no zone"),
        (network().replace('"ns1"\ntype = "A"\nvalues = ["127.0.0.1"]', '"@"\ntype = "CNAME"\nvalues = ["a.b"]'), ConfigFault, "CNAME"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_from_is_refused(
    tmp_path: Path, text: str, kind: type[ConfigFault], wrong: str
):
    of = command(tmp_path, text)
    with pytest.raises(kind, match=wrong):
        of.network(Content(text.encode(), 1))


def test_a_zone_file_is_read_beside_the_network_file_and_goes_to_the_workers(tmp_path: Path):
    (tmp_path / "more.zone").write_text("more 60 A 192.0.2.77\n", encoding="utf-8")
    said = command(
        tmp_path, network().replace('origin = "cdn.example"', 'origin = "cdn.example"\nfile = "more.zone"')
    )
    content = said.content()
    keep_content(content, tmp_path / "kept.json")
    (tmp_path / "more.zone").unlink()
    zone = said.network(kept_content(tmp_path / "kept.json")).dns.zones[0]
    assert (zone.file, zone.text) == (tmp_path / "more.zone", "more 60 A 192.0.2.77\n")
    assert name_of("more.cdn.example.") in zones_of(said.network(content))[name_of("cdn.example.")].nodes
    with pytest.raises(ConfigFault, match=r"more\.zone: the zone file cannot be read"):
        said.content()


def test_a_zone_file_has_a_bound(tmp_path: Path):
    (tmp_path / "more.zone").write_bytes(b";" * (MAX_ZONE_BYTES + 1))
    said = command(
        tmp_path, network().replace('origin = "cdn.example"', 'origin = "cdn.example"\nfile = "more.zone"')
    )
    with pytest.raises(ConfigFault, match="longer than"):
        said.content()
