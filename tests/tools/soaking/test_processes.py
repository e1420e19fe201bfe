"""What a soak starts, ends and starts again."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.load import load_node
from tests.kit.process import children
from tools.soaking.processes import LogCluster, Member, Node, NodeSetting, NotUp

HOSTS = {"paper": "paper.example", "store": "store.example"}


class Sleeper(Member):
    """Two processes that do nothing."""

    def command(self) -> list[str]:
        return ["sh", "-c", "echo here; sleep 60 & wait"]


def state_of(pid: int) -> str:
    """As the kernel has it: T = stopped; empty = there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def setting(log: str = "", keys: Path = Path("keys")) -> NodeSetting:
    return NodeSetting(fills={"paper": 1000, "store": 2000}, hosts=HOSTS, log=log, keys=keys)


async def test_what_was_started_is_frozen_thawed_and_ended_with_its_children(tmp_path: Path) -> None:
    member = Sleeper("sleeper", tmp_path / "out.txt")
    assert (member.is_running, member.last_words()) == (False, "(nothing)")
    await member.kill()
    member.launch()
    try:
        pid = member.pid
        while member.last_words() != "here\n":
            pass
        while not (child := children(pid)):
            pass
        member.freeze()
        while state_of(pid) != "T":
            pass
        member.thaw()
        while state_of(pid) == "T":
            pass
    finally:
        await member.kill()
    while state_of(child[0]) not in {"Z", ""}:  # who its parent is now may be in no hurry
        pass


def test_what_a_node_is_told_is_a_node_file(tmp_path: Path) -> None:
    log = LogCluster(tmp_path / "log")
    node = Node("edge-1", tmp_path / "edge-1", setting(log.settings, tmp_path / "keys"))
    settings = load_node(tmp_path / "edge-1" / "node.toml")
    assert (settings.name, settings.workers, len(settings.nats.url)) == ("edge-1", 2, 3)
    assert sorted(site.name for site in settings.sites.sites) == ["paper", "store"]
    assert not node.is_running and node.command()[-1].endswith("node.toml")


@pytest.mark.slow
async def test_three_servers_have_a_leader_and_end(tmp_path: Path) -> None:
    async with LogCluster(tmp_path) as cluster:
        assert all(server.is_running for server in cluster.servers)
        assert await cluster.stream_leader() is None  # there is no stream yet
    assert not any(server.is_running for server in cluster.servers)


async def test_a_node_that_ends_at_once_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    class Broken(Node):
        def command(self) -> list[str]:
            return ["sh", "-c", "echo no such thing; exit 2"]

    node = Broken("edge-1", tmp_path / "edge-1", setting())
    node.launch()
    with pytest.raises(NotUp, match="no such thing"):
        await node.wait_ready()
