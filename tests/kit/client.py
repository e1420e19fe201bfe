"""RawClient: an HTTP/1.1 client that sends any bytes and reads answers strictly.

What it sends is up to the test: whole, byte by byte, pipelined, cut, reset. What it reads must be right to the byte:
a status line, a head or a body that is not what RFC 9112 allows raises `MalformedAnswer`. An answer that ends before
its framing says so is *not* an error here: it comes back with `complete=False` and how the connection ended,
because "cut" is what many tests are about. Every read has a bound and fails loudly when it runs out.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.kit.answer import Answer, Ending, Interim, MalformedAnswer, parse_fields, parse_status_line
from tests.kit.origin_connection import HeadersLike, header_list
from tests.kit.waiting import PATIENCE, TookTooLong

__all__ = ["Answer", "Ending", "Interim", "MalformedAnswer", "RawClient", "get", "request", "request_head"]

_READ_LIMIT = 16 * 1024 * 1024
"""Bytes of head the client takes; above any edge's own bound."""


@dataclass(slots=True)
class _Reading:
    """What is known of an answer while it is being read."""

    answer: Answer
    method: bytes
    left: int | None = None
    body: bytearray = field(default_factory=bytearray)


class RawClient:
    """One connection. Use it as `async with await RawClient.connect(host, port) as client`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: bytes) -> None:
        self.authority = authority
        self._reader = reader
        self._writer = writer
        self._reading: _Reading | None = None

    @classmethod
    async def connect(
        cls, host: str, port: int, *, tls: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> Self:
        """Open a connection; raises ConnectionError when nobody listens."""
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(
                host, port, limit=_READ_LIMIT, ssl=tls, server_hostname=server_name if tls else None
            )
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer, f"{host}:{port}".encode())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, data: bytes) -> None:
        """Send these bytes; raises ConnectionError when the peer has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def send_bytewise(self, data: bytes) -> None:
        """Send these bytes one at a time, each in a segment of its own."""
        for value in data:
            await self.send(bytes((value,)))
            # One turn of the loop, so that a peer in this process sees each byte alone; Nagle is off already.
            await asyncio.sleep(0)

    async def send_until_stuck(self, data: bytes, times: int, *, still: float = 0.3) -> int:
        """Send `data` up to `times` times; how often it was taken whole before nothing moved for `still` seconds.

        The piece that got stuck goes out when the peer reads on.
        """
        for taken in range(times):
            self._writer.write(data)
            try:
                async with asyncio.timeout(still):
                    await self._writer.drain()
            except TimeoutError:
                return taken
        return times

    async def send_request(
        self, method: str, target: str, headers: HeadersLike = (), body: bytes | None = None
    ) -> None:
        """Send one correct request: Host and Content-Length are added unless they are given."""
        await self.send(request_head(method, target, headers, authority=self.authority, body=body))
        if body:
            await self.send(body)

    async def request(
        self,
        method: str,
        target: str,
        headers: HeadersLike = (),
        body: bytes | None = None,
        *,
        within: float = PATIENCE,
    ) -> Answer:
        """Send one correct request and read its answer."""
        await self.send_request(method, target, headers, body)
        return await self.read_answer(method, within=within)

    async def get(self, target: str, headers: HeadersLike = (), *, within: float = PATIENCE) -> Answer:
        """GET the target on this connection."""
        return await self.request("GET", target, headers, within=within)

    async def pipeline(
        self, requests: Iterable[tuple[str, str, HeadersLike]], *, within: float = PATIENCE
    ) -> list[Answer]:
        """Send all requests in one write, then read an answer for each, in order."""
        wanted = list(requests)
        heads = [request_head(m, target, headers, authority=self.authority) for m, target, headers in wanted]
        await self.send(b"".join(heads))
        return [await self.read_answer(method, within=within) for method, _, _ in wanted]

    async def read_answer(self, method: str = "GET", *, within: float = PATIENCE) -> Answer:
        """Read one whole answer, skipping (and keeping) interim ones; `method` decides whether it has a body."""
        await self.read_head(method, within=within)
        return await self.read_rest(within=within)

    async def read_head(self, method: str = "GET", *, within: float = PATIENCE) -> Answer:
        """Read up to the end of the final head; the body is read later by `read_body_until` or `read_rest`.

        When the peer ends first, `status` is 0 and `ending` says how.
        """
        answer = Answer()
        with _bound(within, "a response head", lambda: answer):
            async with asyncio.timeout(within):
                while (
                    await self._read_one_head(answer) and 100 <= answer.status < 200 and answer.status != 101
                ):
                    answer.interim.append(Interim(answer.status, answer.headers))
        self._reading = _Reading(answer, method.upper().encode())
        if answer.status:
            self._frame(self._reading)
        return answer

    async def read_body_until(self, size: int, *, within: float = PATIENCE) -> bytes:
        """Read on until at least `size` bytes of body are there (or the end); returns all body bytes so far."""
        reading = self._reading
        assert reading is not None, "read_head comes first"
        with _bound(
            within, f"{size} bytes of body", lambda: f"{len(reading.body)} bytes after {reading.answer}"
        ):
            async with asyncio.timeout(within):
                while len(reading.body) < size and not self._done(reading):
                    await self._read_piece(reading)
        return bytes(reading.body)

    async def read_rest(self, *, within: float = PATIENCE) -> Answer:
        """Read the rest of the body; returns the answer with body, trailers and `complete` set."""
        reading = self._reading
        assert reading is not None, "read_head comes first"
        with _bound(
            within, "the rest of the body", lambda: f"{len(reading.body)} bytes after {reading.answer}"
        ):
            async with asyncio.timeout(within):
                while not self._done(reading):
                    await self._read_piece(reading)
        reading.answer.body = bytes(reading.body)
        self._reading = None
        return reading.answer

    async def read_raw(self, size: int = 65536, *, within: float = PATIENCE) -> bytes:
        """Whatever bytes come next; b"" at a clean end."""
        with _bound(within, "any bytes", lambda: "nothing"):
            async with asyncio.timeout(within):
                return await self._reader.read(size)

    async def wait_ended(self, *, within: float = PATIENCE) -> tuple[Ending, bytes]:
        """Wait until the peer ends the connection; returns how it did and any bytes that came before."""
        rest = bytearray()
        with _bound(within, "the peer to end the connection", lambda: bytes(rest)):
            async with asyncio.timeout(within):
                try:
                    while data := await self._reader.read(65536):
                        rest += data
                except ConnectionError:
                    return Ending.RESET, bytes(rest)
        return Ending.CLOSED, bytes(rest)

    async def half_close(self) -> None:
        """Send FIN and keep reading."""
        self._writer.write_eof()
        await self._writer.drain()

    def pause_reading(self) -> None:
        """Stop taking bytes off the socket, as a stalled reader does."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read-write transport has it

    def resume_reading(self) -> None:
        """Take bytes off the socket again."""
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    def abort(self) -> None:
        """Break the connection with a RST."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()

    async def _read_one_head(self, answer: Answer) -> bool:
        """Read one head into `answer`; False when the peer ended before a first byte or within the head."""
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as cut:
            answer.ending, answer.status, answer.headers = Ending.CLOSED, 0, []
            answer.leftover = cut.partial
            return False
        except ConnectionError:
            answer.ending, answer.status, answer.headers = Ending.RESET, 0, []
            return False
        first, *lines = raw[:-4].split(b"\r\n")
        answer.version, answer.status, answer.reason = parse_status_line(first)
        answer.headers = parse_fields(lines)
        return True

    def _frame(self, reading: _Reading) -> None:
        """Decide how the body is framed (RFC 9112 s6.3); `left` stays None for chunked and close-delimited."""
        answer = reading.answer
        if reading.method == b"HEAD" or answer.status in (204, 304, 101):
            reading.left = 0
        elif (
            answer.header("Transfer-Encoding") is None
            and (length := answer.header("Content-Length")) is not None
        ):
            if not length.isdigit():
                raise MalformedAnswer(f"Content-Length {length!r}")
            reading.left = int(length)
        elif answer.header("Transfer-Encoding") not in (None, b"chunked"):
            raise MalformedAnswer(f"Transfer-Encoding {answer.header('Transfer-Encoding')!r}")
        elif answer.header("Transfer-Encoding") and answer.header("Content-Length"):
            raise MalformedAnswer("both Content-Length and Transfer-Encoding")
        if reading.left == 0:
            answer.complete = True

    def _done(self, reading: _Reading) -> bool:
        return reading.answer.complete or reading.answer.ending is not Ending.OPEN

    async def _read_piece(self, reading: _Reading) -> None:
        answer = reading.answer
        try:
            if answer.header("Transfer-Encoding") == b"chunked":
                await self._read_chunk(reading)
                return
            data = await self._reader.read(min(reading.left or 1 << 20, 1 << 20))
        except asyncio.IncompleteReadError as cut:
            reading.body += cut.partial
            answer.ending = Ending.CLOSED
            return
        except ConnectionError:
            answer.ending = Ending.RESET
            return
        reading.body += data
        if not data:
            answer.ending = Ending.CLOSED
            answer.complete = reading.left is None
        elif reading.left is not None:
            reading.left -= len(data)
            answer.complete = reading.left == 0

    async def _read_chunk(self, reading: _Reading) -> None:
        line = (await self._reader.readuntil(b"\r\n"))[:-2]
        digits = line.split(b";")[0]
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise MalformedAnswer(f"chunk size {line!r}")
        if size := int(digits, 16):
            reading.body += await self._reader.readexactly(size)
            if (end := await self._reader.readexactly(2)) != b"\r\n":
                raise MalformedAnswer(f"chunk data not followed by CRLF but {end!r}")
            return
        lines: list[bytes] = []
        while (trailer := await self._reader.readuntil(b"\r\n")) != b"\r\n":
            lines.append(trailer[:-2])
        reading.answer.trailers = parse_fields(lines)
        reading.answer.complete = True


def request_head(
    method: str, target: str, headers: HeadersLike = (), *, authority: bytes, body: bytes | None = None
) -> bytes:
    """The bytes of a correct request head."""
    lines = header_list(headers)
    names = {name.lower() for name, _ in lines}
    if b"host" not in names:
        lines.insert(0, (b"Host", authority))
    if body is not None and not names & {b"content-length", b"transfer-encoding"}:
        lines.append((b"Content-Length", str(len(body)).encode()))
    first = f"{method} {target} HTTP/1.1\r\n".encode("latin-1")
    return first + b"".join(name + b": " + value + b"\r\n" for name, value in lines) + b"\r\n"


async def request(
    method: str, url: str, headers: HeadersLike = (), body: bytes | None = None, *, within: float = PATIENCE
) -> Answer:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query or url.endswith("?"):
        target += "?" + parts.query
    assert parts.hostname is not None, f"not an absolute URL: {url}"
    async with await RawClient.connect(parts.hostname, parts.port or 80) as client:
        return await client.request(method, target, headers, body, within=within)


async def get(url: str, headers: HeadersLike = (), *, within: float = PATIENCE) -> Answer:
    """GET a URL on a connection of its own."""
    return await request("GET", url, headers, within=within)


@contextlib.contextmanager
def _bound(within: float, what: str, seen: Callable[[], object]) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise TookTooLong(f"waited {within} s for {what}; seen: {seen()}") from None
