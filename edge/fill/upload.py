"""A request body on its way to the origin.

Owns: `Upload`. Rules: the head and the first of the body leave in one write where the body is already there,
and the head never waits for a body that is not; what the source raises breaks the connection, so that the
origin cannot take a part for the whole; the last chunk is written only after the source's clean end. RFC 9112
s7.1, s8.
"""

from __future__ import annotations

import asyncio

from edge.errors import ClientFault, UpstreamFault
from edge.fill.connection import Connection
from edge.fill.exchange import Exchange
from edge.fill.upstream import BodySource
from edge.wire.framing import Framing, Length
from edge.wire.render import LAST_CHUNK, chunk


class Upload:
    """One request body. head: the rendered request head."""

    __slots__ = ("_connection", "_exchange", "_head", "_left", "_source")

    def __init__(
        self, connection: Connection, exchange: Exchange, head: bytes, framing: Framing, source: BodySource
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._head = head
        self._left = framing.size if isinstance(framing, Length) else None
        self._source = source

    async def run(self) -> None:
        """To the end of the source, or until the connection is gone."""
        flush = asyncio.get_running_loop().call_soon(self._flush)
        try:
            while piece := await self._source.read():
                self._send(piece)
                await self._connection.drained()
            self._end()
        except (ClientFault, ConnectionError) as error:
            self._connection.broke_off(self._exchange, error)
        except UpstreamFault:
            pass  # the connection is gone, and who waits for the answer has been told by it
        except BaseException as error:
            fault = UpstreamFault(
                f"upload ended by {type(error).__name__}", proxy_status="proxy_internal_error"
            )
            self._connection.broke_off(self._exchange, fault)
            raise
        finally:
            flush.cancel()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._connection.write(head)

    def _send(self, piece: bytes) -> None:
        if self._left is None:
            piece = chunk(piece)
        else:
            self._left -= len(piece)
            assert self._left >= 0, "the source gave more than the framing announced"
        if self._head:
            piece = self._head + piece
            self._head = b""
        self._connection.write(piece)

    def _end(self) -> None:
        if self._left:
            raise ClientFault("the request body is shorter than announced")
        self._flush()
        if self._left is None:
            self._connection.write(LAST_CHUNK)
        self._connection.uploaded(self._exchange)
