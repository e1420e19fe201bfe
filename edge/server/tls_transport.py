"""TLS between a socket and a client connection: a protocol towards asyncio, a transport towards `Connection`.

Owns: `TlsTransport`. Rules:
* The hello is read before anything else is decided (edge.wire.client_hello); the context that it leads to is what the
  connection is. What is no TLS is answered with nothing.
* What waits to be written is counted as it waits in the socket's buffer, encrypted, so that a slow reader is judged by what he
  takes, as on a plain connection; asyncio's own TLS has a second buffer that its transport does not tell of.
* An end of the write side is close_notify and then a FIN, so that a body that only the end delimits has a proper one; a cut is
  neither. Who half-closes by close_notify gets the replies that are owed (RFC 8446 s6.1); who ends the TCP connection without
  one is gone (RFC 9112 s9.8), and is not taken for one who has finished: a tunnel is cut, not ended.
* No renegotiation, no early data. Of what a client makes OpenSSL say by itself (key updates), no more than a bound waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Protocol, cast

from edge.exchange import ClientTls
from edge.server.connection import Connection
from edge.tls.contexts import DECODE_ERROR, Contexts, Refusal, Slot
from edge.tls.outcomes import Outcome, outcome_of
from edge.tls.tickets import set_keys
from edge.wire.client_hello import BadHello, HelloTooLarge, NotTls, read_client_hello
from edge.wire.limits import Limits

READ_BYTES = 16 * 1024
"""What one record holds: OpenSSL gives no more at a time, and Python makes a bytes object of this size for each read."""


class Handshakes(Protocol):
    """What a TLS connection needs of its listener."""

    limits: Limits

    def opening(self, transport: TlsTransport) -> None:
        """It was accepted."""

    def done(self, transport: TlsTransport, outcome: Outcome) -> None:
        """The handshake ended, in one way or the other; told once."""

    def lost(self, transport: TlsTransport) -> None:
        """The connection ended before there was any."""

    def bound(self, name: str) -> None:
        """A bound was met."""


class State(Enum):
    """Of one connection."""

    HELLO = "the client's first message is awaited"
    HANDSHAKE = "OpenSSL is at it"
    OPEN = "data goes both ways"
    ENDED = "nothing is read any more"


class TlsTransport(asyncio.Protocol, asyncio.Transport):
    """See the module. contexts: those in force. deadline: monotonic seconds, of the handshake. peer: of the connection."""

    def __init__(
        self,
        listener: Handshakes,
        contexts: Callable[[], Contexts],
        connection: Connection,
        *,
        deadline: float,
    ) -> None:
        super().__init__()
        self.connection = connection
        self.peer = connection.peer
        self.deadline = deadline
        self.version = "-"
        self._listener = listener
        self._contexts = contexts
        self._state = State.HELLO
        self._hello = b""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._slot: Slot
        self._ssl: ssl.SSLObject
        self._raw: asyncio.Transport
        self._reading = False
        self._paused = False
        self._is_connected = False
        """The connection was told that it is one."""
        self._notified = False
        """The client said close_notify."""
        self._write_ended = False

    # -- what asyncio tells us --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted; the handshake is to come."""
        self._raw = cast("asyncio.Transport", transport)
        self._raw.set_write_buffer_limits(high=self._listener.limits.write_buffer)
        self._listener.opening(self)

    def data_received(self, data: bytes) -> None:
        """Bytes off the socket."""
        if self._state is State.OPEN:
            self._incoming.write(data)
            self._read_on()
        elif self._state is State.HANDSHAKE:
            self._incoming.write(data)
            self._shake_hands()
        elif self._state is State.HELLO:
            self._hello += data
            self._read_hello()

    def eof_received(self) -> bool:
        """The client sends no more, not even TLS."""
        if self._state is State.OPEN:
            self._read_on()  # what was paused comes first
        if self._state is State.OPEN and self._notified:
            return not self._raw.is_closing()
        if self._state in {State.HELLO, State.HANDSHAKE}:
            self._fail(Outcome.GONE)
        elif self._write_ended:
            self._raw.close()
        else:
            self._raw.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        was, self._state = self._state, State.ENDED
        if was in {State.HELLO, State.HANDSHAKE}:
            self._listener.done(self, Outcome.GONE)
        if self._is_connected:
            self.connection.connection_lost(exc)
        else:
            self._listener.lost(self)

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        if self._is_connected:
            self.connection.pause_writing()

    def resume_writing(self) -> None:
        """It drained."""
        if self._is_connected:
            self.connection.resume_writing()

    # -- the handshake --

    def _read_hello(self) -> None:
        try:
            hello = read_client_hello(self._hello, self._listener.limits.client_hello)
        except NotTls:
            self._fail(Outcome.NOT_TLS)
        except BadHello:
            self._fail(Outcome.MALFORMED, DECODE_ERROR)
        except HelloTooLarge:
            self._listener.bound("client_hello")
            self._fail(Outcome.TOO_LARGE, DECODE_ERROR)
        else:
            if hello is None:
                return
            chosen = self._contexts().choose(hello)
            if isinstance(chosen, Refusal):
                self._fail(chosen.outcome, chosen.alert)
                return
            self._slot = chosen
            self._ssl = chosen.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            self._state = State.HANDSHAKE
            self._incoming.write(self._hello)
            self._hello = b""
            keys = chosen.keys
            if keys is None or keys.former is None or not keys.is_former(hello.ticket):
                self._shake_hands()
                return
            # A ticket is opened in this first step; the new one that follows is sealed with the current key.
            set_keys(chosen.context, keys.former)
            try:
                self._shake_hands()
            finally:
                set_keys(chosen.context, keys.current)

    def _shake_hands(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # an alert says why
            self._fail(outcome_of(error.reason))
            return
        self._flush()
        self._state = State.OPEN
        self.version = self._ssl.version() or "-"
        self._listener.done(self, Outcome.RESUMED if self._ssl.session_reused else Outcome.FULL)
        policy = self._slot.policy
        if policy is not None:
            self.connection.tls = ClientTls(policy, self._ssl.getpeercert(binary_form=True))
        self._is_connected = True
        self.connection.connection_made(self)
        if self._incoming.pending:
            self._read_on()

    def _fail(self, outcome: Outcome, alert: int | None = None) -> None:
        """No connection. alert: a fatal one is sent first."""
        self._state = State.ENDED
        self._listener.done(self, outcome)
        if alert is not None:
            self._raw.write(bytes((21, 3, 3, 0, 2, 2, alert)))
        self._raw.close()

    def check_time(self, tick: float) -> None:
        """End a handshake that is overdue. tick: monotonic seconds. For one that is under way."""
        if tick > self.deadline:
            self._listener.bound("handshake_deadline")
            self._state = State.ENDED
            self._listener.done(self, Outcome.OVERDUE)
            self._raw.abort()

    # -- reading --

    def _read_on(self) -> None:
        """Give the connection what can be read, unless it wants nothing now."""
        if self._reading:
            return
        self._reading = True
        try:
            while not (self._paused or self._notified or self._raw.is_closing()):
                data = self._ssl.read(READ_BYTES)
                if not data:
                    self._end_of_data()
                    break
                self.connection.data_received(data)
                if not self._incoming.pending and not self._ssl.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._end_of_data()
        except ssl.SSLError:
            self._flush()  # an alert says why
            self._raw.abort()
        finally:
            self._reading = False
        if self._outgoing.pending:
            self._flush()
            if self._raw.get_write_buffer_size() > 2 * self._listener.limits.write_buffer:
                self._listener.bound("write_buffer")
                self._raw.abort()

    def _end_of_data(self) -> None:
        """close_notify."""
        self._notified = True
        if not self.connection.eof_received():
            self.close()

    def pause_reading(self) -> None:
        """Nothing more for now."""
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._paused = False
        if self._raw.is_closing():
            return
        self._raw.resume_reading()
        if self._incoming.pending or self._ssl.pending():
            asyncio.get_running_loop().call_soon(self._read_on)

    def is_reading(self) -> bool:
        """Whether it does."""
        return not self._paused and not self.is_closing()

    # -- writing --

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if not data or self._write_ended or self._raw.is_closing():
            return
        try:
            size = len(data)
            sent = self._ssl.write(data)
            while sent < size:  # a record at a time
                sent += self._ssl.write(memoryview(data)[sent:])
        except ssl.SSLError:
            self._raw.abort()
            return
        self._raw.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """All of them, as few records as can be."""
        self.write(b"".join(list_of_data))

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def can_write_eof(self) -> bool:
        """It can: by close_notify."""
        return self._raw.can_write_eof()

    def write_eof(self) -> None:
        """Nothing more is written; reading goes on."""
        if not self._write_ended and not self._raw.is_closing():
            self._notify()
            self._raw.write_eof()

    def _notify(self) -> None:
        """close_notify, once."""
        if self._write_ended:
            return
        self._write_ended = True
        with contextlib.suppress(ssl.SSLError):  # it wants to read the client's own, which may never come
            self._ssl.unwrap()
        self._flush()

    def close(self) -> None:
        """An orderly end, when all is written."""
        if not self._raw.is_closing():
            self._notify()
            self._raw.close()

    def abort(self) -> None:
        """The end now, and not for a proper one."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._raw.is_closing()

    def get_write_buffer_size(self) -> int:
        """Encrypted bytes that wait for the socket."""
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Of those."""
        self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the socket; `ssl_object` where there is one."""
        if name == "ssl_object":
            return self._ssl if self._is_connected else default
        return self._raw.get_extra_info(name, default)
