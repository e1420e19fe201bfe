"""Varnish beside us: it takes its settings, caches what has a cookie, says so, and leaves a log where one is asked for."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

import pytest

from tools.benching.measuring import fill, spent_by
from tools.benching.processes import Process
from tools.benching.servers import Place
from tools.benching.varnish import Varnish, varnish_command, vcl
from tools.benching.workloads import WORKLOADS, Workload
from tools.ports import free_port

SMALL = Workload("small", "", ("/1k/a", "/1k/b"), access_log=True)
is_here = pytest.mark.skipif(Varnish().version() is None, reason="Varnish is not installed")


def test_its_settings_are_those_of_the_row(tmp_path: Path):
    command = varnish_command(WORKLOADS["hits"](), folder=tmp_path, port=18999)
    assert "malloc,256m" in command
    assert "127.0.0.1:18999" in command
    assert command[command.index("-n") + 1].startswith(str(tmp_path)), "nothing outside its folder"
    assert '.port = "18998";' in vcl(18998)
    assert vcl(1).count("{") == vcl(1).count("}")


def test_its_version_is_said_and_what_it_cannot():
    assert Varnish().version() is None or (Varnish().version() or "").startswith("Varnish ")
    assert "TLS" in (Varnish().cannot(WORKLOADS["tls"]()) or "")
    assert Varnish().cannot(WORKLOADS["hits"]()) is None


def field(port: int, target: str) -> str | None:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{target}", headers={"Cookie": "a=b"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        said: str | None = answer.headers["X-Cache"]
    return said


@pytest.mark.slow
@is_here
@pytest.mark.skipif(Varnish().cannot(SMALL) is not None, reason="varnishncsa is not installed")
def test_it_caches_says_so_and_logs(tmp_path: Path):
    origin = free_port()
    with Process(
        [sys.executable, "-m", "tools.benching.origin", str(origin)], core=None, log=tmp_path / "origin.txt"
    ) as serving:
        serving.wait_for_answer(origin)
        running = Varnish().start(SMALL, Place(tmp_path, origin, None))
        with running.processes[0], running.processes[1]:
            fill(SMALL, Varnish(), running)
            assert field(running.port, "/1k/a") == "HIT"
            assert field(running.port, "/1k/new") == "MISS"
            assert (spent_by(running) or 0) > 0
            log, asked = tmp_path / "access.log", 0
            while "/1k/a" not in log.read_text():  # it reads the log in memory a moment later
                assert asked < 5_000, log.read_text()
                asked += field(running.port, "/1k/b") == "HIT"


@pytest.mark.slow
@is_here
def test_without_a_log_there_is_no_one_to_write_it(tmp_path: Path):
    running = Varnish().start(WORKLOADS["hits"](), Place(tmp_path, free_port(), None))
    with running.process:
        assert running.processes == (running.process,)
