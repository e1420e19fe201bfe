"""A worker is a program of its own: it inherits what it is given and nothing else, and says how it ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from edge.server.command_line import CommandLine, Standing, write_contents
from edge.server.orders import PROTOCOL, Drain, Start
from edge.server.run_dir import contents_of
from edge.server.worker_process import EDGE_WORKER, SIGNALS, WorkerProcess, rehearsed
from edge.settings.node import Overrides

pytestmark = pytest.mark.slow


def start(tmp_path: Path) -> Start:
    """A first order whose run folder lacks the settings: the worker cannot start."""
    said = CommandLine(Path("edge.toml"), Overrides(data_dir=str(tmp_path)))
    return Start(0, 1, str(tmp_path), (), said.as_json())


async def test_one_that_cannot_start_says_why(tmp_path: Path):
    worker = await WorkerProcess.spawn(start(tmp_path), [], since=0.0)
    assert await worker.ended() == 1
    assert worker.detail is not None
    assert "settings.json" in worker.detail
    assert not worker.is_ready
    worker.kill()  # harmless
    worker.send(Drain(0.0))


async def test_it_can_be_ended_at_once(tmp_path: Path):
    worker = await WorkerProcess.spawn(start(tmp_path), [], since=0.0)
    worker.kill()
    assert await worker.ended() == -signal.SIGKILL
    assert worker.detail is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_it_inherits_the_sockets_it_is_given_and_no_others(tmp_path: Path):
    with socket.socket() as given, socket.socket() as other:
        other.set_inheritable(True)
        worker = await WorkerProcess.spawn(start(tmp_path), [given], since=0.0)
        os.kill(worker.pid, signal.SIGSTOP)
        held = {link.readlink() for link in Path(f"/proc/{worker.pid}/fd").iterdir()}
        assert Path(f"/proc/self/fd/{given.fileno()}").readlink() in held
        assert Path(f"/proc/self/fd/{other.fileno()}").readlink() not in held
        worker.kill()
        await worker.ended()


async def test_signals_that_come_too_early_do_not_kill_it(tmp_path: Path):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    worker = await WorkerProcess.spawn(start(tmp_path), [], since=0.0)
    for number in SIGNALS:
        os.kill(worker.pid, number)
    assert await worker.ended() == 1
    assert worker.detail is not None, "it was killed before it could say why it cannot start"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


async def test_a_rehearsal_says_whether_one_would_start(tmp_path: Path):
    said = CommandLine(None, Overrides(origin="http://127.0.0.1:1", data_dir=str(tmp_path)))
    fit = Start(0, 1, str(tmp_path), (), said.as_json())
    why = await rehearsed(fit, 0.0, EDGE_WORKER)
    assert why is not None
    assert "settings.json" in why
    write_contents(Standing.once({}), contents_of(tmp_path))
    assert await rehearsed(fit, 0.0, EDGE_WORKER) is None
    assert "do not understand" not in (await rehearsed(fit, 0.0, "edge.server.no_such_program") or "")
    assert await rehearsed(fit, 0.0, "edge.server.no_such_program") == "it ended with 1"
    assert {file.name for file in tmp_path.iterdir()} == {"settings.json"}, "it opens and binds nothing"


async def test_one_of_another_version_does_not_start(tmp_path: Path):
    write_contents(Standing.once({}), contents_of(tmp_path))
    said = CommandLine(None, Overrides(origin="http://127.0.0.1:1", data_dir=str(tmp_path)))
    older = Start(0, 1, str(tmp_path), (), said.as_json(), protocol=PROTOCOL - 1)
    assert "does not understand the one that runs; restart the node" in str(
        await rehearsed(older, 0.0, EDGE_WORKER)
    )
