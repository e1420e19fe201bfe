"""A network file becomes a network, or every problem with its line."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.document import parse
from edge.settings.network import NetworkNode, PlaceOverride, Pop, PopState, Region, Role, RoutedSite
from edge.settings.network_file import is_network, load_network, read_network
from edge.settings.node import ListenAddress
from edge.settings.problems import SettingsFault

LEAST = """
[[region]]
name = "eu"
[[pop]]
name = "fra"
region = "eu"
latitude = 50
longitude = 8.5
addresses = ["192.0.2.1", "2001:db8::1"]
"""


def load(folder: Path, text: str):
    file = folder / "network.toml"
    file.write_text(text)
    return load_network(file, env={})


EVERYTHING = (
    LEAST
    + """\
state = "drain"
weight = 3
bias = -100
capacity = 5000
countries = ["DE", "AT"]
[[node]]
name = "fra-1"
pop = "fra"
role = "shield"
http = "10.0.0.1:80"
admin = "10.0.0.1:81"
weight = 2
[[route]]
site = "shop"
hosts = ["www.Example.org"]
deny = ["FR"]
alternate = "sorry.example.org"
spread = false
second_tier = "eu"
[[zone]]
origin = "example.net"
ns = ["ns.example.org"]
[geo]
databases = ["a.mmdb", "/b.mmdb"]
overrides = { "10.0.0.0/8" = "pop:fra" }
default_pops = ["fra"]
[dns]
log = "route.log"
"""
)


def test_what_is_written_arrives(tmp_path: Path):
    network = load(tmp_path, EVERYTHING)
    assert network.regions == (Region("eu"),)
    assert network.pops == (
        Pop(
            "fra",
            "eu",
            50.0,
            8.5,
            3,
            -100.0,
            5000,
            (IPv4Address("192.0.2.1"),),
            (IPv6Address("2001:db8::1"),),
            PopState.DRAIN,
            frozenset({"DE", "AT"}),
        ),
    )
    address = ListenAddress("10.0.0.1", 80)
    assert network.nodes == (
        NetworkNode("fra-1", "fra", Role.SHIELD, address, ListenAddress("10.0.0.1", 81), 2),
    )
    assert network.routes == (
        RoutedSite(
            "shop",
            (b"www.example.org",),
            deny=frozenset({"FR"}),
            alternate=b"sorry.example.org",
            spread=False,
            second_tier="eu",
        ),
    )
    assert network.geo.databases == (tmp_path / "a.mmdb", Path("/b.mmdb"))
    assert dict(network.geo.overrides) == {ip_network("10.0.0.0/8"): PlaceOverride(pop="fra")}
    assert network.dns.log == tmp_path / "route.log"
    assert network.file == tmp_path / "network.toml"


def test_the_serial_of_a_zone_is_when_the_file_was_changed(tmp_path: Path):
    zone = '[[zone]]\norigin = "example.net"\nns = ["ns.example.org"]\n'
    network = load(tmp_path, LEAST + zone)
    assert network.dns.zones[0].serial == int((tmp_path / "network.toml").stat().st_mtime)
    assert load(tmp_path, LEAST + zone + "serial = 7").dns.zones[0].serial == 7


def test_every_problem_is_said_at_once_in_the_order_of_lines(tmp_path: Path):
    with pytest.raises(SettingsFault) as fault:
        load(tmp_path, '[[pop]]\nname = "a b"\nlatitude = 91\n[[region]]\n[health]\nquorum = 2')
    lines = [str(problem).removeprefix(f"{tmp_path}/network.toml:") for problem in fault.value.problems]
    assert [line.partition(";")[0] for line in lines] == [
        "1: pop[0]: this pop has no region",
        "1: pop[0]: this pop has no longitude",
        '2: pop[0].name: "a b" is no name',
        "3: pop[0].latitude: 91 is outside of what is allowed",
        "4: region[0]: this region has no name",
        "6: health.quorum: 2 is outside of what is allowed",
    ]


def test_whether_the_whole_holds_together_is_looked_at_last(tmp_path: Path):
    with pytest.raises(SettingsFault) as fault:
        load(tmp_path, LEAST.replace('region = "eu"', 'region = "us"'))
    assert [problem.setting for problem in fault.value.problems] == ["region[0]", "pop[0].region"]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path):
    with pytest.raises(SettingsFault, match="cannot be read"):
        load_network(tmp_path / "none.toml")
    with pytest.raises(SettingsFault, match="no TOML"):
        load(tmp_path, "[[pop]")


@pytest.mark.parametrize(
    "text, network",
    [
        (LEAST, True),
        ('[[node]]\nname = "a"', True),
        ("[geo]\nreload = 3", True),
        ("[dns]", True),
        ("", False),
        ('[node]\nname = "a"', False),
        ('hostnames = ["a.org"]', False),
        ('[[site]]\nhostnames = ["a.org"]', False),
    ],
)
def test_a_network_is_told_by_the_names_at_its_top(text: str, network: bool):
    assert is_network(parse("a.toml", text.encode()).table) is network


WORDS = st.sampled_from(
    [
        "region",
        "pop",
        "node",
        "route",
        "zone",
        "record",
        "geo",
        "dns",
        "overrides",
        "name",
        "hosts",
        "shields",
        "values",
    ]
)
LINES = st.one_of(
    WORDS.map("[{}]".format),
    WORDS.map("[[{}]]".format),
    st.just("[[zone.record]]"),
    st.builds(
        "{} = {}".format,
        WORDS,
        st.sampled_from(["1", '"eu"', "[]", '["eu"]', "[{}]", "{}", '{ "::/0" = "pop:a" }', "nan"]),
    ),
)


@given(st.lists(LINES, max_size=10))
def test_no_text_raises_anything_but_a_fault_of_the_settings(lines: list[str]):
    try:
        document = parse("network.toml", "\n".join(lines).encode())
    except SettingsFault:
        return
    read_network(document, env={}, folder=Path(), changed=0)
