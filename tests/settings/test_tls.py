"""What settings of TLS say together: what is missing is told, and sites know what their clients are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.tls_rules import NO_TLS, ClientAuth, ClientPolicy
from edge.settings.load import load_node
from edge.settings.node import NodeSettings, TlsSettings
from edge.settings.problems import SettingsFault
from edge.settings.tls import tls_in_folder

SITE = '[[site]]\nhostnames = ["{}"]\norigins = ["http://127.0.0.1:3000"]\n'


def load(folder: Path, text: str) -> NodeSettings:
    file = folder / "edge.toml"
    file.write_text(text)
    return load_node(file, env={})


def wrong(folder: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(SettingsFault) as fault:
        load(folder, text)
    assert all(problem.line is not None and problem.instead for problem in fault.value.problems)
    return [(problem.setting, problem.wrong) for problem in fault.value.problems]


def test_files_are_meant_from_the_node_file(tmp_path: Path):
    settings = TlsSettings(certificates=Path("certs"), client_ca=Path("/etc/ca.pem"))
    placed = tls_in_folder(settings, tmp_path)
    assert (placed.certificates, placed.client_ca) == (tmp_path / "certs", Path("/etc/ca.pem"))
    assert tls_in_folder(TlsSettings(), tmp_path) == TlsSettings()


@pytest.mark.parametrize(
    ("text", "setting", "what"),
    [
        (
            '[tls]\nlisten = "127.0.0.1:443"\n',
            "tls.listen",
            "TLS needs certificates, and tls.certificates is none",
        ),
        (
            '[node]\nlisten = "127.0.0.1:443"\n[tls]\ncertificates = "c"\nlisten = ["127.0.0.1:443"]\n',
            "tls.listen[0]",
            "127.0.0.1:443 stands in node.listen, too",
        ),
        (
            '[tls]\nclient_certificate = "required"\n',
            "tls.client_certificate",
            "there are no authorities to judge the certificates of clients by",
        ),
    ],
)
def test_what_is_missing_of_a_node(tmp_path: Path, text: str, setting: str, what: str):
    assert wrong(tmp_path, text + SITE.format("*")) == [(setting, what)]


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('[site.tls]\nclient_certificate = "optional"\n', "site[0].tls.client_certificate"),
        ("[site.tls]\nhsts_preload = true\n", "site[0].tls.hsts_preload"),
        ('[site.tls]\nhsts_preload = true\nhsts = "365d"\n', "site[0].tls.hsts_preload"),
        (
            '[site.tls]\nhsts_preload = true\nhsts_subdomains = true\nhsts = "300d"\n',
            "site[0].tls.hsts_preload",
        ),
    ],
)
def test_what_is_missing_of_a_site(tmp_path: Path, text: str, setting: str):
    assert [where for where, _ in wrong(tmp_path, SITE.format("*") + text)] == [setting]


def test_what_a_site_does_not_say_the_node_says(tmp_path: Path):
    texts = {
        "a.test": "",
        "b.test": '[site.tls]\nclient_certificate = "required"\n',
        "c.test": '[site.tls]\nclient_certificate = "off"\n',
        "d.test": '[site.tls]\nclient_ca = "d.pem"\n',
    }
    node = '[tls]\nclient_certificate = "optional"\nclient_ca = "ca.pem"\n'
    settings = load(tmp_path, node + "".join(SITE.format(host) + text for host, text in texts.items()))
    ca_file = str(tmp_path / "ca.pem")
    assert [site.tls.client for site in settings.sites] == [
        ClientPolicy(ClientAuth.OPTIONAL, ca_file),
        ClientPolicy(ClientAuth.REQUIRED, ca_file),
        None,
        ClientPolicy(ClientAuth.OPTIONAL, str(tmp_path / "d.pem")),
    ]
    assert load(tmp_path, SITE.format("a.test")).sites.sites[0].tls is NO_TLS
