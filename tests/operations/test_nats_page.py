"""Every file that docs/operations/nats.md shows is one: servers take theirs, nodes take theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nkeys  # type: ignore[import-untyped]  # no stubs
import pytest

from edge.bus.address import BusAddress
from edge.settings.load import load_node
from tests.kit.certificates import Authority

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "nats.md"
PROGRAM = Path(sys.executable).parent / "nats-server"
_FILE = re.compile(r"<!-- (file|node file): ([a-z.]+) -->\n```[a-z]*\n(.*?)```\n", re.DOTALL)

SHOWN = {(kind, name): text for kind, name, text in _FILE.findall(PAGE.read_text(encoding="utf-8"))}


def test_no_file_is_shown_without_being_tested() -> None:
    fences = PAGE.read_text(encoding="utf-8").count("\n```") // 2
    assert len(SHOWN) == fences == 7


def write_files(folder: Path) -> None:
    """All that is shown, and the certificates that it names."""
    tls = folder / "tls"
    tls.mkdir()
    authority = Authority.make(folder)
    authority.server("localhost")
    (chain,) = (file for file in folder.glob("*.pem") if file != authority.file)
    for name, file in (("server.pem", chain), ("server.key", chain), ("ca.pem", authority.file)):
        (tls / name).write_bytes(file.read_bytes())
    for (kind, name), text in SHOWN.items():
        if kind == "file":
            text = text.replace("/var/lib/nats", str(folder / "js")).replace('"tls/', f'"{tls}/')
            (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", [name for kind, name in SHOWN if kind == "file" and name != "nodes.conf"])
def test_a_server_takes_its_file(name: str, tmp_path: Path) -> None:
    write_files(tmp_path)
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER).decode()
    said = subprocess.run(
        [PROGRAM, "-t", "-c", name],
        cwd=tmp_path,
        env={"NATS_TOKEN": "t0ken", "LEAF_SEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("name", [name for kind, name in SHOWN if kind == "node file"])
def test_a_node_takes_its_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    site = '[[site]]\nhostnames = ["*"]\norigins = ["http://127.0.0.1:3000"]\n'
    file.write_text(f"sites = []\n{SHOWN['node file', name]}\n{site}", encoding="utf-8")
    nats = load_node(file, env={"NATS_TOKEN": "t0ken"}).nats
    address = BusAddress.of(nats)
    assert address.replicas == (1 if name == "single" else 3)
    assert (address.domain, len(nats.monitor)) == {
        "single": (None, 1),
        "cluster": (None, 3),
        "leaf": ("cdn", 3),
    }[name]
