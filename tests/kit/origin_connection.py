"""The origin's end of one connection: the requests read from it and what a scripted handler writes through it.

Nothing here checks what it sends: wrong lengths, cut bodies and garbage are what it is for. What it reads is read
strictly, so that a malformed request from the edge shows as such.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

Header = tuple[bytes, bytes]
HeadersLike = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_BODILESS = frozenset({204, 304})


def header_list(headers: HeadersLike) -> list[Header]:
    """Headers as the wire has them: byte pairs in order."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(_bytes(name), _bytes(value)) for name, value in pairs]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


@dataclass(slots=True)
class OriginRequest:
    """One request as the origin received it. `complete` turns true when the whole body has arrived."""

    number: int
    connection_id: int
    method: bytes
    target: bytes
    version: bytes
    headers: list[Header]
    raw_head: bytes
    body: bytes = b""
    trailers: list[Header] = field(default_factory=list)
    complete: bool = False

    def header(self, name: str) -> bytes | None:
        """All lines of the field joined by ", "; None when there is none."""
        lines = self.header_lines(name)
        return b", ".join(lines) if lines else None

    def header_lines(self, name: str) -> list[bytes]:
        """The values of each line of the field, in order."""
        wanted = name.lower().encode()
        return [value for key, value in self.headers if key.lower() == wanted]

    @property
    def path(self) -> str:
        """The target up to the query."""
        return self.target.split(b"?", 1)[0].decode("latin-1")


@dataclass(frozen=True, slots=True)
class Canned:
    """A ready answer. Content-Length and Date are added unless given, chunked, or forbidden by the status."""

    status: int = 200
    headers: HeadersLike = ()
    body: bytes = b""
    chunked: bool = False
    trailers: HeadersLike = ()


class OriginConnection:
    """The origin's end of one connection: what a handler writes its answer through."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.open = True
        self._reader = reader
        self._writer = writer
        self.request: OriginRequest | None = None
        """The request being answered, or the last one that was."""

    async def send_raw(self, data: bytes) -> None:
        """Write these bytes, whatever they are, and wait for the socket to take them. ConnectionError: the peer left."""
        if self._writer.is_closing():
            raise ConnectionResetError(
                "the peer has gone"
            )  # uvloop would raise RuntimeError, asyncio nothing
        self._writer.write(data)
        await self._writer.drain()

    async def send_head(self, status: int, headers: HeadersLike = (), *, reason: str = "Scripted") -> None:
        """Write a status line and these header lines, and nothing of our own."""
        await self.send_raw(render_head(status, header_list(headers), reason))

    async def send_response(
        self,
        status: int = 200,
        headers: HeadersLike = (),
        body: bytes = b"",
        *,
        chunked: bool = False,
        trailers: HeadersLike = (),
    ) -> None:
        """Write one correct answer to the request at hand; a HEAD gets the head only. `Connection: close` closes."""
        lines = header_list(headers)
        names = {name.lower() for name, _ in lines}
        if b"date" not in names:
            lines.append((b"Date", formatdate(usegmt=True).encode()))
        framed = bool(names & {b"content-length", b"transfer-encoding"})
        if chunked and not framed:
            lines.append((b"Transfer-Encoding", b"chunked"))
        elif not framed and status >= 200 and status not in _BODILESS:
            lines.append((b"Content-Length", str(len(body)).encode()))
        payload = b""
        if not (self.request is not None and self.request.method == b"HEAD"):
            payload = body if not chunked else chunk(body) + last_chunk(header_list(trailers))
        await self.send_raw(render_head(status, lines, "Scripted") + payload)
        if (b"connection", b"close") in {(name.lower(), value.lower()) for name, value in lines}:
            await self.close()

    async def send(self, canned: Canned) -> None:
        """Write a canned answer."""
        await self.send_response(
            canned.status, canned.headers, canned.body, chunked=canned.chunked, trailers=canned.trailers
        )

    async def send_chunk(self, data: bytes) -> None:
        """Write one chunk of a chunked body."""
        await self.send_raw(chunk(data))

    async def send_last_chunk(self, trailers: HeadersLike = ()) -> None:
        """End a chunked body."""
        await self.send_raw(last_chunk(header_list(trailers)))

    async def read_some(self, size: int = 65536) -> bytes:
        """Read raw bytes of the request body (rules registered with `read_body=False`); b"" at the peer's end."""
        return await self._reader.read(size)

    async def read_body(self) -> None:
        """Read the whole body of the request at hand into it (rules registered with `read_body=False`)."""
        assert self.request is not None, "no request is being answered on this connection"
        await read_body(self._reader, self.request)

    async def read_raw(self, size: int) -> bytes:
        """Exactly `size` bytes of what follows the request (a tunnel's); asyncio.IncompleteReadError when fewer come."""
        return await self._reader.readexactly(size)

    async def stall(self) -> None:
        """Answer nothing more, and return once the peer has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    async def close(self) -> None:
        """Close cleanly (FIN) after what was written; nothing more is read from this connection."""
        self.open = False
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()

    def reset(self) -> None:
        """Break the connection with a RST; what is still in the send buffer may be lost."""
        self.open = False
        raw = self._writer.get_extra_info("socket")
        assert raw is not None, "reset needs a socket"
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def render_head(status: int, headers: Iterable[Header], reason: str) -> bytes:
    """A response head with exactly these lines."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {reason}\r\n".encode("latin-1") + lines + b"\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk; empty data gives nothing, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Iterable[Header] = ()) -> bytes:
    """The end of a chunked body with its trailer section."""
    return b"0\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in trailers) + b"\r\n"


def parse_request(raw: bytes, number: int, connection_id: int) -> OriginRequest | None:
    """Read a request head strictly; None when it is not one (RFC 9112 s2-5)."""
    first, *lines = raw[:-4].split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or not parts[0] or not parts[1] or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        return None
    headers = _parse_lines(lines)
    if headers is None:
        return None
    return OriginRequest(number, connection_id, parts[0], parts[1], parts[2], headers, raw)


def _parse_lines(lines: Iterable[bytes]) -> list[Header] | None:
    headers: list[Header] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name or b"\n" in line or b"\r" in line or b"\0" in line:
            return None
        headers.append((name, value.strip(b" \t")))
    return headers


async def read_body(reader: asyncio.StreamReader, request: OriginRequest) -> None:
    """Fill `request.body`, `trailers` and `complete`; a peer that goes away leaves what came and raises."""
    if b"chunked" in (request.header("Transfer-Encoding") or b"").lower():
        await _read_chunks(reader, request)
    else:
        left = int(request.header("Content-Length") or b"0")
        while left:
            data = await reader.read(min(left, 1 << 20))
            if not data:
                raise asyncio.IncompleteReadError(b"", left)
            request.body += data
            left -= len(data)
    request.complete = True


async def _read_chunks(reader: asyncio.StreamReader, request: OriginRequest) -> None:
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0].strip(), 16):
        request.body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n", "a chunk's data must end in CRLF"
    lines: list[bytes] = []
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        lines.append(line[:-2])
    request.trailers = _parse_lines(lines) or []
