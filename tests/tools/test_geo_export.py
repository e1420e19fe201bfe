"""PowerDNS and gdnsd, started with what is exported for them, answer as our placement does."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ipaddress import ip_address
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rdatatype
import pytest

from edge.errors import ConfigFault
from edge.geo.network_view import static_view
from edge.geo.placement import Placement, Subject, place
from edge.geo.whereabouts import SLOTS
from edge.settings.network_file import load_network
from tools.geo import opened
from tools.geo_export import run
from tools.mmdb import mmdb_bytes
from tools.ports import free_port

NETWORK = """
[[region]]
name = "eu"
[[pop]]
name = "fra"
region = "eu"
latitude = 50.11
longitude = 8.68
addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"]
[[pop]]
name = "iad"
region = "eu"
latitude = 38.94
longitude = -77.46
addresses = ["198.51.100.1"]
[[pop]]
name = "ams"
region = "eu"
latitude = 52.37
longitude = 4.9
addresses = ["198.51.100.9"]
[[route]]
site = "shop"
hosts = ["shop.cdn.example.net", "*.shop.cdn.example.net"]
ttl = "42s"
[[route]]
site = "near"
hosts = ["near.cdn.example.net"]
spread = false
pops = ["fra", "iad"]
[[route]]
site = "elsewhere"
hosts = ["elsewhere.cdn.example.net"]
deny = ["US"]
alternate = "sorry.example.org"
[[zone]]
origin = "cdn.example.net"
ns = ["ns1.cdn.example.net", "ns2.example.org"]
[[zone.record]]
name = "ns1"
type = "A"
values = ["127.0.0.1"]
[[zone.record]]
name = "@"
type = "TXT"
values = ['a "quoted" \\ text; x']
[[zone.record]]
name = "@"
type = "MX"
values = ["10 mail.example.org"]
[[zone.record]]
name = "@"
type = "CAA"
values = ['0 issue "ca.example"']
[geo]
databases = ["a.mmdb"]
overrides = { "10.9.0.0/16" = "pop:iad" }
default_pops = ["ams"]
[dns]
listen = ["127.0.0.1:PORT"]
"""
RECORDS: dict[str, dict[str, object]] = {
    "10.0.0.0/8": {"country_code": "DE"},
    "11.0.0.0/8": {"country_code": "US"},
    "12.0.0.0/24": {"country_code": "GB", "latitude": 51.5, "longitude": 0.1},
    "12.0.1.0/24": {"country_code": "NO", "latitude": 59.9, "longitude": 10.7},
    "2a00::/24": {"country_code": "DE"},
    "2600::/32": {"country_code": "US"},
}
HOSTS = {
    "shop.cdn.example.net": "shop",
    "a.shop.cdn.example.net": "shop",
    "near.cdn.example.net": "near",
    "elsewhere.cdn.example.net": "elsewhere",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "a.mmdb").write_bytes(mmdb_bytes(RECORDS))
    file = tmp_path / "network.toml"
    file.write_text(NETWORK.replace("PORT", str(free_port())))
    return file


def port_of(config: Path) -> int:
    return load_network(config).dns.listen[0].port


def ask(port: int, name: str, kind: str, client: str | None = None) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0)
    if client is not None:
        length = 24 if ip_address(client).version == 4 else 56
        query.use_edns(0, options=[dns.edns.ECSOption(client, length)])
    return dns.query.udp(query, "127.0.0.1", port=port, timeout=2)


def texts(answer: dns.message.Message) -> set[str]:
    return {rdata.to_text() for rrset in answer.answer for rdata in rrset}


@contextmanager
def running(config: Path, command: list[str], folder: Path) -> Iterator[int]:
    port = port_of(config)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                ask(port, "cdn.example.net", "SOA")
                break
            except (OSError, dns.exception.Timeout):
                if time.monotonic() > until or server.poll() is not None:
                    pytest.fail((folder / "log").read_text(errors="replace")[-2000:])
                time.sleep(0.05)  # nothing of it can be waited on
        yield port
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def needs(program: str) -> str:
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextmanager
def powerdns(config: Path) -> Iterator[int]:
    program, out = needs("pdns_server"), config.parent / "powerdns"
    run("powerdns", config, out)
    command = [program, f"--config-dir={out}", f"--socket-dir={out}", "--daemon=no", "--guardian=no"]
    with running(config, command, out) as port:
        yield port


@contextmanager
def gdnsd(config: Path) -> Iterator[int]:
    program, out = needs("gdnsd"), config.parent / "gdnsd"
    run("gdnsd", config, out)
    written = (out / "config").read_text()
    folders = f"options => {{ run_dir => {out}/run, state_dir => {out}/state, edns_client_subnet => true,"
    (out / "config").write_text(written.replace("options => {", folders))
    with running(config, [program, "-c", str(out), "start"], out) as port:
        yield port


def clients() -> list[str]:
    chance = random.Random(5)
    networks = [f"10.{chance.randrange(256)}.{chance.randrange(256)}.0" for _ in range(60)]
    networks += [f"11.{chance.randrange(256)}.0.0" for _ in range(10)]
    networks += [
        "12.0.0.0",
        "12.0.1.0",
        "12.0.2.0",
        "10.9.1.0",
        "10.9.255.0",
        "10.8.255.0",
        "9.9.9.0",
        "2600::",
    ]
    return networks + [f"2a00:{chance.randrange(256):x}:{n}::" for n in range(20)] + ["2a01::", "2600:1::"]


def expected(config: Path) -> Callable[[str, str], Placement]:
    network = load_network(config)
    view = static_view(network)
    with opened(network) as (atlas, _):
        pass

    def placed(host: str, client: str) -> Placement:
        site = network.route(HOSTS[host])
        assert site is not None
        bucket = atlas.locate(client).bucket
        return place(Subject(atlas.whereabouts(bucket), bucket % SLOTS), site, view)

    return placed


@pytest.mark.slow
@pytest.mark.parametrize("server", [powerdns, gdnsd])
def test_an_existing_server_answers_as_placement_does(
    config: Path, server: Callable[[Path], AbstractContextManager[int]]
):
    network, placed = load_network(config), expected(config)
    given = {pop.name: {str(address) for address in pop.ipv4[:2]} for pop in network.pops}
    wrong = []
    chosen = set()
    with server(config) as port:
        for host in HOSTS:
            for client in clients():
                placement = placed(host, client)
                answer = ask(port, host, "A", client)
                right = {"sorry.example.org."} if placement.alternate else given[str(placement.pop)]
                chosen.add(placement.pop)
                if texts(answer) != right:
                    wrong.append((host, client, placement.pop, texts(answer)))
        assert wrong == []
        assert chosen == {"fra", "iad", "ams", None}
        assert texts(ask(port, "shop.cdn.example.net", "AAAA", "10.9.0.0")) == set()
        assert [rrset.ttl for rrset in ask(port, "shop.cdn.example.net", "A", "10.9.0.0").answer] == [42]
        for name, kind, values in (
            ("cdn.example.net", "NS", {"ns1.cdn.example.net.", "ns2.example.org."}),
            ("cdn.example.net", "TXT", {'"a \\"quoted\\" \\\\ text; x"'}),
            ("cdn.example.net", "MX", {"10 mail.example.org."}),
            ("cdn.example.net", "CAA", {'0 issue "ca.example"'}),
            ("ns1.cdn.example.net", "A", {"127.0.0.1"}),
        ):
            assert texts(ask(port, name, kind)) == values


def test_what_cannot_be_exported_is_said(config: Path, tmp_path: Path):
    with pytest.raises(ConfigFault, match="'bind' is no format; allowed: powerdns, gdnsd"):
        run("bind", config, tmp_path / "out")
    (tmp_path / "small.toml").write_text('[geo]\nreload = "1m"')
    with pytest.raises(ConfigFault, match="nothing to export"):
        run("gdnsd", tmp_path / "small.toml", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigFault, match="Not a directory"):
        run("gdnsd", config, tmp_path / "file" / "out")


def test_records_in_a_zone_file_are_not_left_out_in_silence(config: Path):
    text = config.read_text().replace(
        'origin = "cdn.example.net"', 'origin = "cdn.example.net"\nfile = "more.zone"'
    )
    config.write_text(text)
    with pytest.raises(ConfigFault, match="zone file, whose records cannot be exported"):
        run("powerdns", config, config.parent / "out")
