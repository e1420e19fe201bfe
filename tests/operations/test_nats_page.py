"""Every file that docs/operations/nats.md shows is one: servers take theirs, nodes take theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nkeys
import pytest

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.bus.faults import BusFault
from edge.clock import SystemClock
from edge.measures import Measures
from edge.settings.load import load_node
from tests.kit.certificates import Authority
from tests.kit.nats import NatsServer
from tests.kit.origin import ScriptedOrigin
from tests.kit.purging import Pages, answer_of, purge, purgeable, versions
from tests.kit.waiting import until

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


@pytest.mark.slow
async def test_a_node_can_do_all_it_does_with_what_it_may_and_nothing_else(tmp_path: Path) -> None:
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)
    ours = nkeys.from_seed(bytearray(seed)).public_key.decode()
    (tmp_path / "edge-1.seed").write_bytes(seed)
    nodes, count = re.subn(
        r"nkey: U[A-Z0-9]+, permissions", f"nkey: {ours}, permissions", SHOWN["file", "nodes.conf"]
    )
    assert count == 1
    async with ScriptedOrigin() as origin, NatsServer(tmp_path / "nats", login=nodes) as server:
        pages = Pages(origin)
        node = f'[nats]\nurl = "{server.url}"\nnkey = "{tmp_path}/edge-1.seed"\nreplicas = 1\nmonitor = "{server.monitor}"\n'
        async with purgeable(tmp_path, origin.url, node=node + '[node]\nname = "edge-1"\n') as world:
            assert await versions(world, "/a") == {1}
            pages.version = 2
            assert answer_of(await purge(world, {"everything": True}))["receipt"]["done"]
            assert await versions(world, "/a") == {2}
            assert (
                answer_of(await purge(world, {"everything": True}, query="?dry_run=1"))["nodes"][0]["node"]
                == "edge-1"
            )
            await world.restart()
            assert answer_of(await world.admin("/v1/purges"))["purges"]
        assert [line for line in server.log.splitlines() if "Violation" in line] == []
        await _forbidden(server, str(tmp_path / "edge-1.seed"))

        async def told() -> bool:
            return server.log.count("Publish Violation") >= 3

        await until(told)  # the server writes its log a little later than it answers


async def _forbidden(server: NatsServer, seed: str) -> None:
    address = server.address(token=None, nkey=seed)
    bus = Bus(address, name="edge-1/test", clock=SystemClock(), measures=Measures())
    try:
        await bus.connect()
        for name in ("STREAM.PURGE.PERIGEE", "STREAM.DELETE.PERIGEE"):
            with pytest.raises(BusFault):
                await bus.api(name, within=0.2)
        await bus.publish("perigee.presence.edge-2", b"{}")
        assert await bus.check()
    finally:
        await bus.aclose()
