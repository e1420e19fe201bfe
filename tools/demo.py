"""`perigee demo` and `make run`: an origin, an edge in front of it, and what to try.

Owns: the two processes it starts, each in a session of its own, so that Ctrl-C reaches only this one, which then ends
the edge (which drains) and after it the origin. Ends when either of them ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError

READY_SECONDS = 30.0
"""How long the edge may take to say that it is ready; a cold start on a small machine takes two."""

END_SECONDS = 30.0
"""How long the edge may drain before it is killed."""

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Demo:
    """What was asked for. origin: the user's own, None = the bundled one. listen, admin: HOST:PORT."""

    origin: str | None
    listen: str
    admin: str
    data_dir: Path
    workers: str | None


def run(demo: Demo) -> int:
    """Run both until told to stop; the exit code. EdgeError when one of them does not start."""
    return asyncio.run(_run(demo))


async def _run(demo: Demo) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        watched: list[Process] = []
        origin = demo.origin
        if origin is None:
            bundled = await stack.enter_async_context(child(_origin_command(demo), stdout=PIPE))
            watched.append(bundled)
            origin = await origin_address(bundled)
        edge = await stack.enter_async_context(child(edge_command(demo, origin)))
        watched.append(edge)
        if await _ready(edge, demo.admin, stopped):
            print(what_to_try(demo, origin), flush=True)
        return await first_to_end(watched, stopped)


def _origin_command(demo: Demo) -> list[str]:
    return [
        sys.executable,
        "-m",
        "tools.demo_origin",
        "--data-dir",
        str(demo.data_dir.with_name("demo-origin")),
    ]


def edge_command(demo: Demo, origin: str) -> list[str]:
    """The command line of the edge."""
    line = [sys.executable, "-m", "tools.perigee", "run", "--origin", origin]
    line += ["--listen", demo.listen, "--admin", demo.admin, "--data-dir", str(demo.data_dir)]
    return line if demo.workers is None else [*line, "--workers", demo.workers]


@asynccontextmanager
async def child(command: Sequence[str], stdout: int | None = None) -> AsyncIterator[Process]:
    """A process that is asked to end, and then made to, when the context is left."""
    child = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=stdout, start_new_session=True
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), END_SECONDS)
            except TimeoutError:
                child.kill()
                await child.wait()


async def origin_address(bundled: Process) -> str:
    """The URL in the line that the bundled origin prints; EdgeError when it ended instead."""
    assert bundled.stdout is not None
    said = (await bundled.stdout.readline()).decode()
    if not said.startswith("listening on "):
        raise EdgeError("the demo's origin did not start; what it wrote is above")
    return f"http://{said.removeprefix('listening on ').strip()}"


async def _ready(edge: Process, admin: str, stopped: asyncio.Event) -> bool:
    """Whether the edge became ready, rather than ended or was stopped before. EdgeError when it does neither."""
    host, _, port = admin.rpartition(":")
    try:
        async with asyncio.timeout(READY_SECONDS):
            while edge.returncode is None and not stopped.is_set():
                if await says_ready(host.strip("[]"), int(port)):
                    return True
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise EdgeError(
            f"the edge is not ready after {READY_SECONDS:.0f} s (http://{admin}/readyz)"
        ) from None
    return False


async def says_ready(host: str, port: int) -> bool:
    """Whether an edge whose admin port is there answers 200 to /readyz."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


async def first_to_end(watched: Sequence[Process], stopped: asyncio.Event) -> int:
    """Wait for the word to stop (0), or for a process to end (its code, or 1 where that was 0: nobody asked it to)."""
    async with asyncio.TaskGroup() as group:
        stop = group.create_task(stopped.wait())
        ends = [group.create_task(child.wait()) for child in watched]
        done, pending = await asyncio.wait([stop, *ends], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
    if stop in done:
        return 0
    return next(code for child in watched if (code := child.returncode) is not None) or 1


def what_to_try(demo: Demo, origin: str) -> str:
    """The lines to paste."""
    edge = f"http://{demo.listen}"
    lines = [f"\nPerigee is at {edge}, in front of {origin}. Ctrl-C ends it.\n"]
    if demo.origin is not None:
        tries = [(f"curl -i {edge}/", "twice, and compare Cache-Status and Age")]
    else:
        lines.append(f"Open {edge}/ in a browser, or try:\n")
        tries = [
            (f"curl -i {edge}/style.css", "twice: the second comes from the edge; see Cache-Status and Age"),
            (f"curl -i {edge}/time", "fresh for 5 s, then stale while it is fetched anew"),
            (f"for i in 1 2 3 4 5; do curl -s {edge}/slow & done; wait", "one request reaches the origin"),
            (f"curl -s -r 1000000-1000099 {edge}/100MB.bin | wc -c", "a range of a large file"),
            (f"curl -i {edge}/private", "not stored, and why"),
            (f"curl -i --data-binary @README.md {edge}/echo", "a body that streams through"),
            (f"curl -N {edge}/sse", "events pass as they come"),
        ]
    tries.append((f"perigee explain {edge}/", "why it is cached, or not"))
    tries.append((f"curl -s http://{demo.admin}/metrics | grep perigee_requests", "what was counted"))
    width = min(max(len(command) for command, _ in tries), 60)
    lines += [f"  {command:<{width}}  # {why}" for command, why in tries]
    return "\n".join(lines) + "\n"
