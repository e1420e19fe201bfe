"""Files and a command line become settings, or every problem with its file and line."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.log import Form
from edge.semantics.rules import OriginAddress, SiteRules
from edge.settings.load import Checked, FileKind, check_file, from_origin, load_node, site_files
from edge.settings.network import Role
from edge.settings.node import ListenAddress, LogLevel, LogTarget, NodeSettings, Overrides, TierSettings
from edge.settings.problems import SettingsFault

ROOT = Path(__file__).parent.parent.parent
SITE = 'hostnames = ["{host}"]\norigins = ["http://127.0.0.1:3000"]\n'


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.toml").write_text(SITE.format(host="a.org"))
    file = tmp_path / "edge.toml"
    file.write_text("")
    return file


def said(file: Path, overrides: Overrides = Overrides(), *, on_this_machine: bool = False) -> list[str]:
    with pytest.raises(SettingsFault) as fault:
        load_node(file, overrides, env={}, on_this_machine=on_this_machine)
    return [str(problem).replace(f"{file.parent}/", "") for problem in fault.value.problems]


def test_an_empty_node_file_has_the_defaults_and_the_sites_beside_it(node: Path):
    settings = load_node(node, env={})
    default = NodeSettings()
    for part in (
        "name",
        "listen",
        "admin",
        "data_dir",
        "workers",
        "limits",
        "memory",
        "disk",
        "log",
        "resolver",
    ):
        assert getattr(settings, part) == getattr(default, part)
    assert [site.name for site in settings.sites] == ["a"]
    assert settings.file == node
    assert site_files(settings) == (node.parent / "sites" / "a.toml",)


def test_everything_that_can_be_said_arrives(node: Path):
    node.write_text("""
        sites = []
        [node]
        name = "fra-1"
        listen = ["0.0.0.0:80", "[::]:80"]
        admin = "off"
        data_dir = "data"
        workers = 3
        trusted_proxies = ["10.0.0.0/8"]
        [limits]
        request_line = "4KiB"
        [memory]
        capacity = "1GiB"
        [disk]
        capacity = "off"
        min_hits = 1
        [log]
        access = "access.log"
        format = "json"
        level = "debug"
        form = "json"
        [resolver]
        max_ttl = "5m"
        [[site]]
        hostnames = ["*"]
        origins = ["http://a.org"]
        """)
    settings = load_node(node, env={})
    assert (settings.name, settings.admin, settings.workers) == ("fra-1", None, 3)
    assert settings.listen == (ListenAddress("0.0.0.0", 80), ListenAddress("::", 80))
    assert settings.data_dir == node.parent / "data"
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8"]
    assert settings.limits.request_line == 4096
    assert (settings.memory.capacity, settings.disk.capacity) == (1024**3, None)
    assert (settings.log.access, settings.log.format) == (node.parent / "access.log", "json")
    assert (settings.log.level, settings.log.form) == (LogLevel.DEBUG, Form.JSON)
    assert settings.resolver.max_ttl == 300.0
    assert settings.disk.min_hits == 1
    assert settings.sites.find(b"anything") is not None


def test_words_for_the_access_log_are_no_files(node: Path):
    node.write_text('log.access = "off"')
    assert load_node(node, env={}).log.access is LogTarget.OFF


def test_the_command_line_wins(node: Path):
    node.write_text('[node]\nname = "file"\nlisten = "1.2.3.4:1"\ndata_dir = "data"\nworkers = 1')
    overrides = Overrides(
        name="said",
        listen="127.0.0.1:0",
        admin="off",
        data_dir="there",
        workers="2",
        origin="http://127.0.0.1:9",
    )
    settings = load_node(node, overrides, env={})
    assert (settings.name, settings.admin, settings.workers) == ("said", None, 2)
    assert settings.listen == (ListenAddress("127.0.0.1", 0),)
    assert settings.data_dir == Path("there")
    every = settings.sites.find(b"no.site.names.it")
    assert every is not None
    assert every.origin.origins == (OriginAddress(b"http", b"127.0.0.1", 9),)


def test_an_origin_alone_takes_every_host():
    settings = from_origin("http://127.0.0.1:3000", Overrides(listen="127.0.0.1:0"))
    [site] = settings.sites
    assert site.name == "default"
    assert settings.sites.find(b"x") == site
    assert site.origin.origins == (OriginAddress(b"http", b"127.0.0.1", 3000),)
    assert (site.freshness, site.store) == (SiteRules().freshness, SiteRules().store)
    assert (settings.file, site_files(settings)) == (None, ())


def test_problems_of_the_command_line_name_its_options():
    with pytest.raises(SettingsFault) as fault:
        from_origin("127.0.0.1:3000", Overrides(listen=":80", workers="none", name="a b"))
    assert [(p.file, p.line, p.setting) for p in fault.value.problems] == [
        ("command line", None, "--node"),
        ("command line", None, "--listen"),
        ("command line", None, "--workers"),
        ("command line", None, "--origin"),
    ]


def test_problems_of_all_files_come_in_one_pass_by_file_and_line(node: Path):
    node.write_text(
        '[memory]\ncapacity = 5\n[node]\nworkers = "x"\n[[site]]\nhostnames = ["a.org"]\n[site.ttl]\nmax = 1\n'
    )
    (node.parent / "sites" / "a.toml").write_text(SITE.format(host="a.org") + "x = 1\n")
    (node.parent / "sites" / "b.toml").write_text("a =")
    assert [problem.split("; ")[0] for problem in said(node)] == [
        "edge.toml:2: memory.capacity: 5 has no unit",
        'edge.toml:4: node.workers: "x" is no whole number',
        "edge.toml:5: site[0]: the site has no origins",
        "edge.toml:8: site[0].ttl.max: 1 has no unit",
        'sites/a.toml:1: hostnames[0]: "a.org" is a host of another site, at edge.toml:6',
        "sites/a.toml:3: x: this is not known",
        "sites/b.toml:1: this is no TOML: Invalid value (at the end of the file)",
    ]


@pytest.mark.parametrize(
    "text, problem",
    [
        (
            "sites = []",
            "edge.toml:1: sites: there is no site, so every host would get 421; write a [[site]] here, or a site file that matches ",
        ),
        ("\nsites = 'none/*.toml'", "edge.toml:2: sites: there is no site, so every host would get 421; "),
        (
            "sites = 'none.toml'",
            'edge.toml:1: sites: there is no file "none.toml"; write a file that is there, or a pattern',
        ),
        ("sites = ['sites/a.toml',\n 'b.toml']", 'edge.toml:2: sites[1]: there is no file "b.toml"; '),
        (
            "sites = '/**'",
            'edge.toml:1: sites: "/**" cannot be looked for: ** would search every folder below; ',
        ),
        ("site = 3", "edge.toml:1: site: 3 stands where a site belongs; write [[site]], with two brackets"),
        (
            "[site]\nx = 1",
            "edge.toml:1: site: a table stands where a site belongs; write [[site]], with two brackets",
        ),
        (
            "site = [1]",
            "edge.toml:1: site: an array stands where a site belongs; write [[site]], with two brackets",
        ),
    ],
)
def test_sites_that_are_not_there_are_said(node: Path, text: str, problem: str):
    node.write_text(text)
    assert [line for line in said(node) if line.startswith(problem)]


def test_a_site_file_that_two_patterns_match_is_one_site(node: Path):
    node.write_text(f'sites = ["sites/*.toml", "{node.parent}/sites/a*.toml", "sites/a.toml"]')
    assert len(load_node(node, env={}).sites) == 1


def test_a_file_that_is_none_is_said(tmp_path: Path):
    assert said(tmp_path / "none.toml") == [
        "none.toml: the file cannot be read: No such file or directory; name a file that is there and may be read"
    ]
    (tmp_path / "folder").mkdir()
    assert said(tmp_path / "folder") == [
        "folder: the file cannot be read: it is no regular file; name a file that is there and may be read"
    ]


def test_the_machine_is_asked_only_before_a_start(node: Path):
    (node.parent / "file").write_text("")
    node.write_text('[node]\ndata_dir = "file/data"\n[log]\naccess = "none/access.log"')
    site = node.parent / "sites" / "a.toml"
    site.write_text(SITE.format(host="a.org") + '[origin]\ntls_ca_file = "../file"')
    load_node(node, env={})
    assert [problem.split(": ")[:2] for problem in said(node, on_this_machine=True)] == [
        ["edge.toml:2", "node.data_dir"],
        ["edge.toml:4", "log.access"],
        ["sites/a.toml:4", "origin.tls_ca_file"],
    ]
    assert said(node, Overrides(data_dir="/dev/null/x"), on_this_machine=True)[-1].startswith(
        "command line: --data-dir: "
    )


def test_a_start_makes_the_data_folder(node: Path):
    node.write_text('node.data_dir = "made/here"')
    load_node(node, env={}, on_this_machine=True)
    assert (node.parent / "made" / "here").is_dir()


def test_a_file_is_checked_as_what_it_is(node: Path):
    site = node.parent / "sites" / "a.toml"
    assert check_file(node) == Checked(node, FileKind.NODE, ("a",), ())
    assert check_file(site) == Checked(site, FileKind.SITE, ("a",), ())
    network = node.parent / "network.toml"
    network.write_text("[geo]\nreload = 3")
    checked = check_file(network)
    assert (checked.kind, [problem.setting for problem in checked.problems]) == (
        FileKind.NETWORK,
        ["geo.reload"],
    )
    site.write_text("hostnames = 3")
    assert [problem.setting for problem in check_file(site).problems] == ["hostnames", ""]
    assert [problem.file for problem in check_file(node).problems] == [str(site), str(site)]


@pytest.mark.parametrize(
    "file", ["config/edge.toml", "config/shield.toml", "config/sites/example.toml", "config/network.toml"]
)
def test_every_line_of_the_examples_is_true(file: str):
    assert check_file(ROOT / file, env={"PERIGEE_TIER_SECRET": "s" * 32}).problems == ()


def test_the_example_shield_is_a_node_of_the_example_network_with_the_defaults_written_out():
    settings = load_node(ROOT / "config" / "shield.toml", env={"PERIGEE_TIER_SECRET": "s" * 32})
    assert settings.place is not None and settings.place.role is Role.SHIELD
    said = replace(settings.tier, listen=None, secrets=())
    assert said == TierSettings()


def test_the_example_node_is_the_default_written_out():
    settings, default = load_node(ROOT / "config" / "edge.toml", env={}), NodeSettings()
    for part in (
        "name",
        "listen",
        "admin",
        "workers",
        "trusted_proxies",
        "limits",
        "memory",
        "disk",
        "log",
        "resolver",
    ):
        assert getattr(settings, part) == getattr(default, part)
    assert settings.data_dir == ROOT / "config" / ".." / default.data_dir


NAMES = st.sampled_from(
    ["node", "limits", "ttl", "hostnames", "origins", "site", "sites", "name", "max", "headers"]
)
LINES = st.one_of(
    NAMES.map("[{}]".format),
    st.just("[[site]]"),
    st.builds(
        "{} = {}".format,
        NAMES,
        st.sampled_from(["1", '"1s"', "[]", '["a.org"]', "{}", "true", '"**"', "nan"]),
    ),
    st.text(max_size=20),
)


@given(
    st.one_of(
        st.binary(max_size=100), st.lists(LINES, max_size=8).map(lambda lines: "\n".join(lines).encode())
    )
)
def test_no_text_raises_anything_but_a_fault_of_the_settings(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(data)
    check_file(file, env={})
    with suppress(SettingsFault):
        load_node(file, env={})
