"""The bus as one process has it: a connection that is made anew whenever it is gone, and what waits on it.

Owns: `Bus`. Rules:
* what is published without a connection is not kept: who needs to know that it arrived asks for an answer;
* who waits for an answer when the connection goes is told so at once, and is not left to its timeout;
* subscriptions are made again on each connection; what was said in between is lost (the log's reader fetches it);
* callbacks are plain functions and run one after the other; between them the loop gets its turn every few milliseconds;
* a fault of the bus is a counter and at most one line of log for each turn of events, never a traceback.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, SlowConsumerError
from nats.js.api import Header

from edge.bus.address import BusAddress
from edge.bus.dial import dial, let_go, reason_of
from edge.bus.faults import ApiFault, BusFault, BusLost
from edge.bus.pauses import Pauses
from edge.bus.question import Question, Said, Take
from edge.clock import Clock
from edge.measures import Measures
from edge.tasks import TaskOwner

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
"""Between two rounds of tries to connect; of several servers, the next one is tried at once."""

TURN_SECONDS = 0.002
"""How long callbacks may run before the loop gets its turn."""

TOLD_SECONDS = 60.0
"""That there is no connection is told this often at most."""

MAX_WAITING_MESSAGES = 65_536
MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Of one subscription, received and not yet heard. What is beyond that is dropped, as by a lost connection."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Of one answer of JetStream."""

_STATUS = Header.STATUS.value
_log = logging.getLogger("perigee.bus")

__all__ = ["Bus", "Said"]


Heard = Callable[[Said], None]


class Bus:
    """See the module. name: `node` or `node/what`: for the servers' lists; the node's part also names our inbox."""

    def __init__(self, address: BusAddress, *, name: str, clock: Clock, measures: Measures) -> None:
        assert address.urls, "no server to connect to"
        self.address = address
        self.name = name
        self.is_connected = False
        self.server = ""
        """Where it is connected to, or was last."""
        self.rtt: float | None = None
        """Seconds of the last round trip that was measured; None = never."""
        self.server_version = ""
        """As the server says, "2.15.1"."""
        self.fault = ""
        """Why there is no connection, in words; "" = there is one."""
        self._clock = clock
        self._measures = measures
        self._errors = measures.bus_errors
        self._tasks = TaskOwner(f"bus {name}")
        self._client: Client | None = None
        self._closed = asyncio.Event()
        self._gone = asyncio.Event()
        self._changed = asyncio.Condition()
        self._wanted: list[tuple[str, Heard]] = []
        self._on_connect: list[Callable[[], None]] = []
        self._inbox = f"_INBOX_{re.sub('[^A-Za-z0-9_-]', '-', name.partition('/')[0])}.{secrets.token_hex(8)}"
        self._asked: dict[str, Question] = {}
        self._numbers = 0
        self._turn_ends = 0.0
        self._told_at = 0.0
        self._connections = 0
        measures.bus_connected.source = lambda: int(self.is_connected)

    # -- the connection --

    async def connect(self, *, within: float = 5.0) -> None:
        """Start, and wait for the first connection. BusLost when there is none in time; it goes on trying."""
        self._tasks.spawn(self._keep(), name="keep")
        await self.connected(within)

    async def connected(self, within: float) -> None:
        """Wait for a connection. BusLost when there is none in time."""
        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: self.is_connected)
        except TimeoutError:
            raise BusLost(f"no connection to the bus: {self.fault or 'no answer'}") from None

    async def aclose(self) -> None:
        """End; what waits for an answer gets BusLost."""
        self._closed.set()
        await self._tasks.aclose()
        self._fail_all("the bus is closed")

    def on_connect(self, call: Callable[[], None]) -> None:
        """Call it at each connection that is made, the first too; subscriptions are in force by then."""
        self._on_connect.append(call)

    async def check(self, within: float = 1.0) -> bool:
        """Ask the server for a sign of life; without one the connection is given up at once for another."""
        client = self._client
        if client is None:
            return False
        try:
            self.rtt = await _round_trip(client, within)
        except (NatsError, OSError):
            if client is self._client:
                self.fault = f"{self.server} does not answer"
                self._give_up()
            return False
        return True

    async def _keep(self) -> None:
        try:
            while (client := await self._dial_until_connected()) is not None:
                try:
                    await self._gone.wait()
                finally:
                    self._give_up()
                    await let_go(client)
                self._errors.of("lost").value += 1
                _log.warning("connection to the bus lost", extra={"server": self.server, "why": self.fault})
        finally:
            self.is_connected = False

    def _give_up(self) -> None:
        """Use the connection no more; `_keep` closes it and makes another."""
        self.is_connected = False
        self._client = None
        self._fail_all(self.fault or "the connection is gone")
        self._gone.set()

    async def _dial_until_connected(self) -> Client | None:
        """None once the bus is closed: nats-py swallows a cancellation now and then, and then nobody else tells us."""
        urls = self.address.urls
        # Not the one that was just lost: one that froze takes connections, and then says nothing.
        at = urls.index(self.server) + 1 if self.server in urls else secrets.randbelow(len(urls))
        tries = 0
        pauses = Pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while not self._closed.is_set():
            url = urls[(at + tries) % len(urls)]
            try:
                client = await self._dial(url)
            except BusFault as fault:
                self._errors.of("connect").value += 1
                if tries == 0 or self._clock.mono() - self._told_at >= TOLD_SECONDS:
                    self._told_at = self._clock.mono()
                    _log.warning("cannot connect to the bus", extra={"why": fault.detail})
                self.fault = fault.detail
            else:
                if self._closed.is_set():
                    await let_go(client)
                    return None
                await self._is_up(client, url)
                return client
            tries += 1
            if tries % len(urls) == 0 and not self._closed.is_set():
                await asyncio.sleep(pauses.next(secrets.randbelow(1000) / 1000.0))
        return None

    async def _dial(self, url: str) -> Client:
        self._gone = gone = asyncio.Event()

        async def closed() -> None:
            gone.set()

        client = await dial(
            self.address,
            url,
            name=f"perigee {self.name}",
            on_error=self._erred,
            on_closed=closed,
        )
        try:
            await self._listen(client, f"{self._inbox}.*", self._answered)
            for subject, heard in self._wanted:
                await self._listen(client, subject, heard)
            self.rtt = await _round_trip(client, 2.0)
        except (NatsError, OSError) as error:
            await let_go(client)
            raise BusLost(f"{url}: {reason_of(error)}") from error
        return client

    async def _is_up(self, client: Client, url: str) -> None:
        self._client, self.server, self.fault, self.is_connected = client, url, "", True
        version = client.connected_server_version
        self.server_version = f"{version.major}.{version.minor}.{version.patch}"
        self._connections += 1
        if self._connections > 1:
            self._measures.bus_reconnects.value += 1
        _log.info("connected to the bus", extra={"server": url})
        for call in self._on_connect:
            call()
        async with self._changed:
            self._changed.notify_all()

    async def _erred(self, error: Exception) -> None:
        """What nats-py tells of."""
        text = reason_of(error)
        if isinstance(error, SlowConsumerError):
            kind = "slow"
        elif "permissions violation" in text.lower():
            kind = "refused"
            _log.warning("the bus refuses", extra={"why": text})
        else:
            kind = "other"
            self.fault = text
        self._errors.of(kind).value += 1

    # -- speaking and listening --

    async def publish(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, reply: str = ""
    ) -> None:
        """Send to whoever listens. BusLost without a connection; no word of whether it arrived."""
        client = self._client
        if client is None:
            raise BusLost(f"no connection to the bus: {self.fault or 'not yet'}")
        try:
            await client.publish(subject, data, reply, None if headers is None else dict(headers))
        except MaxPayloadError:
            raise BusFault(f"{len(data)} bytes are more than the bus takes", status=413) from None
        except (NatsError, OSError) as error:
            raise BusLost(f"{self.server}: {reason_of(error)}") from error

    async def subscribe(self, subject: str, heard: Heard) -> None:
        """Call `heard` for each message, also over connections made anew, until the end of the bus."""
        self._wanted.append((subject, heard))
        client = self._client
        if client is not None:
            try:
                await self._listen(client, subject, heard)
                self.rtt = await _round_trip(client, 2.0)  # once that is answered, the server knows
            except (NatsError, OSError) as error:
                self.fault = reason_of(error)
                self._give_up()  # the next connection has it

    async def _listen(self, client: Client, subject: str, heard: Heard) -> None:
        async def deliver(message: Msg) -> None:
            heard(_said(message))
            now = self._clock.mono()
            if now > self._turn_ends:
                await asyncio.sleep(0)
                self._turn_ends = self._clock.mono() + TURN_SECONDS

        await client.subscribe(
            subject,
            cb=deliver,
            pending_msgs_limit=MAX_WAITING_MESSAGES,
            pending_bytes_limit=MAX_WAITING_BYTES,
        )

    # -- asking --

    async def request(
        self, subject: str, data: bytes, *, within: float, headers: Mapping[str, str] | None = None
    ) -> Said:
        """The first answer. BusLost, BusSilent, NobodyThere."""
        answers: list[Said] = []

        def take(said: Said) -> bool:
            answers.append(said)
            return True

        await self.gather(subject, data, take, within=within, headers=headers)
        return answers[0]

    async def gather(
        self,
        subject: str,
        data: bytes,
        take: Take,
        *,
        within: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """An answer in several parts. within: seconds that the next part may take. Raises as `request`."""
        self._numbers += 1
        token = str(self._numbers)
        self._asked[token] = asked = Question(subject, take, within)
        try:
            await self.publish(subject, data, headers, reply=f"{self._inbox}.{token}")
            await asked.done
        finally:
            del self._asked[token]
            asked.close()

    def _answered(self, said: Said) -> None:
        asked = self._asked.get(said.subject.rpartition(".")[2])
        if asked is not None:
            asked.heard(said)

    def _fail_all(self, why: str) -> None:
        for asked in self._asked.values():
            asked.fail(BusLost(why))

    async def api(self, name: str, body: Mapping[str, Any] | None = None, *, within: float) -> dict[str, Any]:
        """Ask JetStream. name: as "STREAM.INFO.X". ApiFault when it says no, and what `request` raises."""
        data = b"" if body is None else json.dumps(body).encode()
        said = await self.request(self.address.api(name), data, within=within)
        if len(said.data) > MAX_ANSWER_BYTES:
            raise ApiFault(f"{name}: {len(said.data)} bytes", code=500, err_code=0)
        try:
            answer = json.loads(said.data)
        except (ValueError, RecursionError):
            raise ApiFault(f"{name}: an answer that is no JSON", code=500, err_code=0) from None
        if not isinstance(answer, dict):
            raise ApiFault(f"{name}: an answer that is no object", code=500, err_code=0)
        error = answer.get("error")
        if error is not None:
            error = error if isinstance(error, dict) else {}
            raise ApiFault(
                f"{name}: {error.get('description', 'refused')}",
                code=int(error.get("code", 500)),
                err_code=int(error.get("err_code", 0)),
            )
        return answer


def _said(message: Msg) -> Said:
    headers = message.headers
    if headers is None:
        return Said(message.subject, message.data, _NO_HEADERS)
    return Said(message.subject, message.data, headers, headers.get(_STATUS, ""))


_NO_HEADERS: Mapping[str, str] = {}


async def _round_trip(client: Client, within: float) -> float:
    """Seconds until the server says that it has read all that was written before. Raises NatsError, OSError.

    nats-py writes a ping past what still waits to be flushed, so that would come behind it.
    """
    async with asyncio.timeout(within):
        while client.pending_data_size and client.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
            await asyncio.sleep(0)
    return await client.rtt(timeout=within)  # type: ignore[arg-type]  # any number will do
