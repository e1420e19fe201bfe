"""The demo starts two processes, says what to try, and leaves neither behind."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import EdgeError
from tools.demo import Demo, child, edge_command, first_to_end, origin_address, says_ready, what_to_try

DEMO = Demo(
    origin=None, listen="127.0.0.1:8080", admin="127.0.0.1:8081", data_dir=Path("var/perigee"), workers=None
)
ORIGIN = "http://127.0.0.1:3000"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


FOREVER = python("import threading; threading.Event().wait()")


def test_the_edge_is_started_with_what_was_asked_for():
    line = edge_command(DEMO, ORIGIN)
    assert line[1:6] == ["-m", "tools.perigee", "run", "--origin", ORIGIN]
    assert "--workers" not in line
    assert edge_command(replace(DEMO, workers="2"), ORIGIN)[-2:] == ["--workers", "2"]


def test_what_to_try_names_the_edge_and_the_bundled_paths():
    text = what_to_try(replace(DEMO, listen="127.0.0.1:9000"), ORIGIN)
    assert "curl -i http://127.0.0.1:9000/time " in text
    assert "in front of http://127.0.0.1:3000" in text


def test_in_front_of_ones_own_origin_no_bundled_path_is_named():
    text = what_to_try(replace(DEMO, origin=ORIGIN), ORIGIN)
    assert "/time" not in text
    assert "curl -i http://127.0.0.1:8080/" in text


async def test_a_process_does_not_outlive_its_context():
    async with child(FOREVER) as started:
        assert started.returncode is None
    assert started.returncode == -15


async def test_the_origin_says_where_it_listens():
    async with child(python("print('listening on 127.0.0.1:3000', flush=True)"), stdout=PIPE) as origin:
        assert await origin_address(origin) == "http://127.0.0.1:3000"


async def test_an_origin_that_does_not_start_is_an_error():
    async with child(python("raise SystemExit(3)"), stdout=PIPE) as origin:
        with pytest.raises(EdgeError, match="origin did not start"):
            await origin_address(origin)


@pytest.mark.parametrize(("exit_code", "demo_code"), [(0, 1), (3, 3)])
async def test_a_process_that_ends_by_itself_ends_the_demo(exit_code: int, demo_code: int):
    async with child(FOREVER) as stays, child(python(f"raise SystemExit({exit_code})")) as ends:
        assert await first_to_end([stays, ends], asyncio.Event()) == demo_code


async def test_the_word_to_stop_ends_the_demo_well():
    stopped = asyncio.Event()
    stopped.set()
    async with child(FOREVER) as stays:
        assert await first_to_end([stays], stopped) == 0


@pytest.mark.parametrize(("status", "ready"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
async def test_ready_is_what_the_admin_port_says(status: bytes, ready: bool):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /readyz HTTP/1.1\r\n")
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await says_ready("127.0.0.1", port) is ready
    assert await says_ready("127.0.0.1", port) is False
