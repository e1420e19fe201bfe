"""Clients that read on and on over connections that they keep.

Owns: `read_on`. Rules: what must be seen at least is asked of the checker before the first byte of a request is sent, and
never later; a request that is not answered in time is a failure and no proof of anything; a new connection is made after
each failure.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.clock import Clock
from tools.soaking.checker import Asked, Checker
from tools.soaking.pages import PAGES, Page, version_of

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.1
"""After a failure: a node that is down refuses at once."""
KEEP_REQUESTS = 200
"""Requests on one connection: a new one may meet another worker."""

_LENGTH = re.compile(rb"\r\nContent-Length: *([0-9]{1,9})\r\n", re.IGNORECASE)
_CACHE_STATUS = re.compile(rb"\r\nCache-Status: *([^\r]*)\r\n", re.IGNORECASE)


class NoAnswer(Exception):
    """What came is no whole 200. The text is short: it is counted by it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node: where clients find it, and where its API is."""

    name: str
    port: int
    admin_port: int = 0


async def read_on(
    place: Place,
    checker: Checker,
    clock: Clock,
    *,
    dice: random.Random,
    pause: Callable[[], float] = lambda: 0.0,
    pages: Sequence[Page] = PAGES,
) -> None:
    """Read random pages of a node until cancelled. pause: seconds before the next request."""
    while True:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            for _ in range(KEEP_REQUESTS):
                await read_one(reader, writer, checker, clock, place.name, dice.choice(pages))
                await asyncio.sleep(pause())
        except NoAnswer as fault:
            checker.failed(str(fault))
            await asyncio.sleep(PAUSE_SECONDS)
        except TimeoutError:
            checker.failed("no answer in time")
        except OSError:
            checker.failed("no connection, or a broken one")
            await asyncio.sleep(PAUSE_SECONDS)
        finally:
            if writer is not None:
                writer.close()


async def read_one(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    checker: Checker,
    clock: Clock,
    node: str,
    page: Page,
) -> Asked:
    """One request. NoAnswer, TimeoutError, OSError; the checker is told of an answer only."""
    language = f"Accept-Language: {page.language}\r\n" if page.language else ""
    request = f"GET {page.path} HTTP/1.1\r\nHost: {page.host}\r\n{language}\r\n".encode()
    asked = checker.asking(node, page, clock.mono())
    writer.write(request)
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 200 ") or length is None:
                raise NoAnswer(head[9:12].decode("latin-1") if head.startswith(b"HTTP/1.1 ") else "no HTTP")
            body = await reader.readexactly(int(length[1]))
        except asyncio.IncompleteReadError:
            raise NoAnswer("broken off") from None
    said = _CACHE_STATUS.search(head)
    status = said[1].decode("latin-1") if said else ""
    checker.answered(asked, version_of(page, body), clock.mono(), status, body)
    return asked
