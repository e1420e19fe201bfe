"""`perigee replay`: what it refuses, and a log through a real edge to the origin that has it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import ConfigFault, EdgeError
from tests.kit.edge import Edge
from tools.replay import Replay, checked, place_of, plan_of, run
from tools.replaying.access_lines import read
from tools.replaying.origin import SizedOrigin, things_of
from tools.replaying.player import Plan, play

LINE = '{client} - - [17/May/2015:10:05:{second:02} +0000] "GET {target} HTTP/1.1" {status} {size} "-" "x"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two clients, who ask for the same three things each."""
    file = tmp_path / "access.log"
    things = [("/a", 200, 70_000), ("/b?c", 200, 5), ("/gone", 404, 3)]
    file.write_text(
        "".join(
            LINE.format(client=client, second=second, target=target, status=status, size=size)
            for second, client in enumerate(("192.0.2.1", "192.0.2.2"))
            for target, status, size in things
        )
        + "?\n"
    )
    return file


@pytest.mark.parametrize(
    ("against", "spread", "why"),
    [
        (["127.0.0.1:8080"], "address", "no address of an edge"),
        (["http://a/path"], "address", "no address of an edge"),
        (["http://a:99999"], "address", "no address of an edge"),
        (["ftp://a"], "address", "no address of an edge"),
        ([], "address", "1 to 256"),
        (["http://a"], "chance", "allowed: address, turns"),
    ],
)
def test_what_is_no_plan_is_refused(against: list[str], spread: str, why: str):
    with pytest.raises(ConfigFault, match=why):
        plan_of(against, spread, Plan(()))


def test_edges_may_be_written_with_their_root():
    assert plan_of(["http://a:81/", "https://b"], "turns", Plan(())).edges == ("http://a:81", "https://b")


def test_places_and_field_values_are_checked():
    assert place_of("[::1]:0") == ("::1", 0)
    for wrong in ("a", ":1", "a:b", "a:99999"):
        with pytest.raises(ConfigFault):
            place_of(wrong)
    with pytest.raises(ConfigFault):
        checked("max-age=1\r\nX: y")


async def test_a_log_is_replayed_through_an_edge(log: Path, tmp_path: Path):
    recorded = read(log)
    origin = SizedOrigin(things_of(recorded.lines), "max-age=60")
    async with (
        origin.serving("127.0.0.1", 0) as port,
        Edge(tmp_path, origin=f"http://127.0.0.1:{port}", name="e1") as edge,
    ):
        edges = (f"http://127.0.0.1:{edge.port}",)
        tally = await play(recorded.lines, Plan(edges, concurrency=1))
        again = await play(recorded.lines, Plan(edges, concurrency=1))
    assert (tally.requests, tally.statuses, tally.nbytes) == (6, {200: 4, 404: 2}, 140_016)
    assert (tally.hit_ratio(("e1",)), again.hit_ratio(("e1",))) == (0.5, 1.0)
    assert (origin.counted.requests, origin.counted.nbytes) == (3, 70_008)


def test_a_place_that_is_taken_is_said(log: Path):
    asked = Replay(log, Plan(("http://127.0.0.1:1",)), origin=("192.0.2.1", 1))
    with pytest.raises(EdgeError, match="cannot listen"):
        run(asked, to_json=True)


def test_a_replay_that_nobody_answers_has_failed(log: Path, capsys: pytest.CaptureFixture[str]):
    assert run(Replay(log, Plan(("http://127.0.0.1:1",))), to_json=False) == 1
    said = capsys.readouterr().out
    assert "6 requests of 2 clients for 3 targets" in said
    assert "1 lines left out: not in the common form" in said


@pytest.mark.slow
def test_an_origin_by_itself_ends_in_good_order_and_says_what_it_counted(log: Path):
    command = [sys.executable, "-m", "tools.perigee", "replay-origin", str(log), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as origin:
        assert origin.stderr is not None
        port = int(origin.stderr.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /b?c HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            origin.send_signal(signal.SIGINT)
            said, wrong = origin.communicate(timeout=20)
    assert (origin.returncode, wrong) == (0, "")
    assert "origin: 1 requests (0 answered 304), 5 body bytes, 1 targets" in said


@pytest.mark.slow
def test_the_command_runs_with_an_origin_of_its_own(log: Path):
    command = [sys.executable, "-m", "tools.perigee", "replay", str(log), "--json", "--origin-size-from-log"]
    at = ["--origin-listen", "127.0.0.1:0", "--against", "http://127.0.0.1:1"]
    done = subprocess.run([*command, *at], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert (said["origin"]["requests"], said["log"]["bad"]) == (0, {"not in the common form": 1})
