"""The origin of a soak."""

from __future__ import annotations

import asyncio

from tests.kit.toy_cache import AlwaysLate, NeverLate
from tools.soaking.origin import Origin
from tools.soaking.pages import Page, content

PAGE = Page("paper", "news", 1)
GERMAN = Page("paper", "many", 1, "de")


async def asked(origin: Origin, page: Page, *lines: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    fields = "".join(f"{line}\r\n" for line in lines)
    writer.write(f"GET {page.path} HTTP/1.1\r\nHost: {page.host}\r\n{fields}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length or 0))
    writer.close()
    return head + body


async def test_it_answers_with_the_version_it_has() -> None:
    async with Origin(NeverLate()) as origin:
        assert (await asked(origin, PAGE)).endswith(content(PAGE, 1))
        assert origin.change(PAGE) == 2
        assert (await asked(origin, PAGE)).endswith(content(PAGE, 2))
        assert origin.asked == 2


async def test_a_late_answer_has_the_version_of_the_moment_at_which_it_was_asked_for() -> None:
    async with Origin(AlwaysLate()) as origin:
        asking = asyncio.ensure_future(asked(origin, PAGE))
        while not origin.asked:  # noqa: ASYNC110  # its own loop, a turn at a time
            await asyncio.sleep(0)
        origin.change(PAGE)
        assert (await asking).endswith(content(PAGE, 1))


async def test_variants_are_told_by_language_and_what_is_known_is_304() -> None:
    async with Origin(NeverLate()) as origin:
        answer = await asked(origin, GERMAN, "Accept-Language: de")
        assert answer.endswith(content(GERMAN, 1)) and b"Vary: Accept-Language" in answer
        assert b"Surrogate-Key: many many-1 odd-1" in answer
        assert (await asked(origin, PAGE, 'If-None-Match: "v1"')).startswith(b"HTTP/1.1 304")
        origin.change(PAGE)
        assert (await asked(origin, PAGE, 'If-None-Match: "v1"')).startswith(b"HTTP/1.1 200")


async def test_what_it_does_not_have_is_404() -> None:
    async with Origin(NeverLate()) as origin:
        assert (await asked(origin, Page("paper", "none", 1))).startswith(b"HTTP/1.1 404")
