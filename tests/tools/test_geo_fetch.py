"""A database is fetched on the user's word only, and takes its place only when it is sound."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.errors import ConfigFault, UpstreamFault
from edge.settings.network_file import load_network
from tests.conformance.packages import find_node
from tools.geo_fetch import PACKAGE, Fetch, run
from tools.mmdb import mmdb_bytes

V4 = mmdb_bytes({"192.0.2.0/24": {"country_code": "DE"}}, ip_version=4)
V6 = mmdb_bytes({"2001:db8::/32": {"country_code": "FR"}})


def package(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name.replace('__', '.')}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


WHOLE = package(
    package__json=json.dumps({"name": PACKAGE, "version": "1.0.0"}).encode(),
    a4__mmdb=V4,
    a6__mmdb=V6,
    README__md=b"#",
)


def integrity_of(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


class Registry(ThreadingHTTPServer):
    """As much of a registry as npm asks for; `served` by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.served: dict[str, bytes] = {}
        self.asked: list[str] = []


class Answering(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.served.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    server.served["/a.tgz"] = WHOLE
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def fetched(registry: Registry, folder: Path, *, path: str = "/a.tgz", integrity: str | None = None) -> int:
    return run(Fetch(folder / "var", registry.url + path, integrity, accepted=True))


def test_nothing_is_fetched_before_the_licence_is_accepted(registry: Registry, tmp_path: Path):
    with pytest.raises(ConfigFault, match=r"CC BY 4\.0(.|\n)*--accept-license"):
        run(Fetch(tmp_path / "var", registry.url + "/a.tgz"))
    assert registry.asked == []
    assert not (tmp_path / "var").exists()


def test_databases_come_with_their_attribution_and_what_to_write(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert fetched(registry, tmp_path, integrity=integrity_of(WHOLE)) == 0
    folder = tmp_path / "var"
    assert {file.name: file.read_bytes() for file in folder.glob("*.mmdb")} == {"a4.mmdb": V4, "a6.mmdb": V6}
    assert "DB-IP" in (folder / "dbip-city.LICENSE.txt").read_text()
    assert sorted(file.name for file in folder.iterdir()) == ["a4.mmdb", "a6.mmdb", "dbip-city.LICENSE.txt"]
    said = capsys.readouterr()
    assert "https://db-ip.com" in said.err
    (tmp_path / "network.toml").write_text(said.out)
    assert load_network(tmp_path / "network.toml").geo.databases == (folder / "a4.mmdb", folder / "a6.mmdb")


@pytest.mark.parametrize(
    "name, data, wrong",
    [
        ("cut", WHOLE[: len(WHOLE) // 2], "is no .tgz"),
        ("no archive", b"<html>", "is no .tgz"),
        ("empty", package(package__json=b"{}"), "there is no .mmdb file"),
        ("damaged", package(a4__mmdb=V4[:-10]), "what came is no database"),
        ("one of two damaged", package(a4__mmdb=V4, a6__mmdb=V6[:-10]), "what came is no database"),
        ("many", package(**{f"f{n}": b"" for n in range(120)}), "more files"),
    ],
)
def test_what_is_not_sound_leaves_what_is_there(
    registry: Registry, tmp_path: Path, name: str, data: bytes, wrong: str
):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "a4.mmdb").write_bytes(b"the old one")
    registry.served["/a.tgz"] = data
    with pytest.raises(UpstreamFault, match=wrong):
        fetched(registry, tmp_path)
    assert (tmp_path / "var" / "a4.mmdb").read_bytes() == b"the old one"
    assert len(list((tmp_path / "var").iterdir())) == 1


def test_no_path_of_an_archive_is_used(registry: Registry, tmp_path: Path):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in ("../../outside.mmdb", "/absolute.mmdb", "package/in.mmdb"):
            member = tarfile.TarInfo(name)
            member.size = len(V4)
            archive.addfile(member, io.BytesIO(V4))
        link = tarfile.TarInfo("package/link.mmdb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    registry.served["/a.tgz"] = made.getvalue()
    fetched(registry, tmp_path)
    assert {file.name for file in (tmp_path / "var").glob("*.mmdb")} == {
        "outside.mmdb",
        "absolute.mmdb",
        "in.mmdb",
    }
    assert not (tmp_path / "outside.mmdb").exists()


def test_what_is_not_there_or_is_something_else_is_said(registry: Registry, tmp_path: Path):
    with pytest.raises(UpstreamFault, match="404"):
        fetched(registry, tmp_path, path="/none.tgz")
    with pytest.raises(UpstreamFault, match="is not what was asked for: it has the integrity sha512-"):
        fetched(registry, tmp_path, integrity=integrity_of(b"another"))
    with pytest.raises(ConfigFault, match="is no integrity"):
        fetched(registry, tmp_path, integrity="md5-x")
    with pytest.raises(UpstreamFault, match="nonsense"):
        run(Fetch(tmp_path / "var", "nonsense", accepted=True))


def test_without_npm_a_url_is_asked_for(tmp_path: Path):
    with pytest.raises(ConfigFault, match="there is no npm-that-is-not-here here; say --url"):
        run(Fetch(tmp_path / "var", accepted=True), npm=("npm-that-is-not-here",))


@pytest.mark.slow
def test_npm_gets_it_from_the_registry_that_it_is_set_to(registry: Registry, tmp_path: Path):
    try:
        node = find_node()
    except RuntimeError as error:
        pytest.skip(str(error))
    registry.served["/" + PACKAGE.replace("/", "%2f")] = json.dumps(
        {
            "name": PACKAGE,
            "dist-tags": {"latest": "1.0.0"},
            "versions": {
                "1.0.0": {
                    "name": PACKAGE,
                    "version": "1.0.0",
                    "dist": {"tarball": registry.url + "/a.tgz", "integrity": integrity_of(WHOLE)},
                }
            },
        }
    ).encode()
    npm = [str(part) for part in node.npm]
    quiet = [
        f"--registry={registry.url}",
        f"--cache={tmp_path / 'cache'}",
        "--update-notifier=false",
        "--audit=false",
    ]
    assert run(Fetch(tmp_path / "var", accepted=True), npm=(*npm, *quiet)) == 0
    assert (tmp_path / "var" / "a4.mmdb").read_bytes() == V4
    assert registry.asked[-1] == "/a.tgz"
    registry.served.clear()
    with pytest.raises(UpstreamFault, match="npm could not get"):
        run(Fetch(tmp_path / "other", accepted=True), npm=(*npm, *quiet, f"--cache={tmp_path / 'cold'}"))
    assert list((tmp_path / "other").iterdir()) == []
