"""The purge API: HTTP in, the desk's answer out.

Owns: `PurgeApi`, which the supervisor mounts on the admin address and, where `purge.listen` is set, on an address of its
own. Rules:

- The admin address is private (edge.server.admin), so reading is free there; on `purge.listen` reading is signed, too.
  What purges is signed on both.
- A body is read up to its bound before anything is done with it, a digest included; one that is declared larger is not
  read at all.
- It has no state of its own: what it tells comes from the log, from the follower of this node, and from what nodes say of
  themselves. So any node answers for any purge.
- Every answer is JSON; every error is `application/problem+json` with a `reason`, and counted by it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, assert_never

from aiohttp import ClientError, web

from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.errors import ClientFault
from edge.fleet.registry import Receipt
from edge.purge import desk_dry_run as dry_run
from edge.purge.declined import RETRY_SECONDS, Declined, Reason, declined
from edge.purge.desk import Caller, Log, PurgeDesk, oversized
from edge.purge.desk_recent import Ordered
from edge.purge.dialects import read
from edge.purge.dialects_answers import Answer, accepted, order_said, ordered_said, problem, told
from edge.purge.dialects_routes import (
    Document,
    Nodes,
    OnePurge,
    Purge,
    RecentPurges,
    Route,
    Shape,
    allowed_at,
    route,
)
from edge.purge.log import LogUnavailable
from edge.purge.requests import PurgeRequest, Wait
from edge.purge.signing.message import Message
from edge.semantics.forwarding import is_trusted
from edge.semantics.message import Fields, Line, RequestHead, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.server.purge_openapi import openapi
from edge.server.purge_receipts import receipt_said
from edge.settings.node import NodeSettings
from edge.wire.request import parse_host

BODY_SECONDS = 10.0
"""A purge's body is small; who takes longer holds a connection for nothing."""
MAX_HELD = 64 * 1024 * 1024
"""Bytes of bodies that are held at a time, whoever sent them; then 503."""
DRY_RUN_SECONDS = 5.0
"""How long nodes may count."""
ITEMS_IN_A_LIST = 10
"""Things of one purge that a list of purges writes out; the purge by itself has all."""

_REST = r"{rest:[\s\S]*}"  # a dot would not match a line end, which is what %0A becomes
PATHS = tuple(start + _REST for start in ("/v1/", "/service/", "/purge/", "/zones/", "/client/v4/zones/"))

_SILENT = logging.Logger("aiohttp", logging.CRITICAL)  # noqa: LOG001  # else whoever sends nonsense writes tracebacks

SERVER_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "access_log": None,
        "auto_decompress": False,  # a body is bounded as it came, and one that is coded is refused
        "handle_signals": False,
        "logger": _SILENT,
        "max_line_size": 16 * 1024,  # POST /purge/URL has a URL of 8 KiB in it
        "shutdown_timeout": 1.0,
    }
)
"""Of whatever server these routes are mounted on. What is no HTTP at all is answered by aiohttp, with 400 and a text."""

_log = logging.getLogger("perigee.purge")


class Fleet(Protocol):
    """edge.fleet.fleet.Fleet, as far as the API asks it."""

    @property
    def surveyed(self) -> bool:
        """Whether we have listened for long enough to know who is there."""

    def described(self) -> list[dict[str, Any]]:
        """All nodes that are known."""

    def receipt(self, seq: int, history: str, region: str | None = None) -> Receipt:
        """How an order stands."""

    async def wait(self, seq: int, history: str, region: str | None, seconds: float) -> Receipt:
        """The receipt as soon as it is complete, else as it is after so many seconds."""

    async def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, dict[str, Any]]:
        """What each live node answers. BusFault."""


class PurgeApi:
    """One of a node, in the process that has the desk. settings: those in force. body_seconds: a body's time.

    max_held: bytes of bodies at a time.
    """

    def __init__(
        self,
        desk: PurgeDesk,
        log: Log,
        fleet: Fleet,
        *,
        settings: Callable[[], NodeSettings],
        clock: Clock,
        body_seconds: float = BODY_SECONDS,
        max_held: int = MAX_HELD,
    ) -> None:
        self._desk = desk
        self._log = log
        self._fleet = fleet
        self._settings = settings
        self._clock = clock
        self._body_seconds = body_seconds
        self._max_held = max_held
        self.held = 0
        """Bytes of the bodies of requests that are not answered yet."""
        self._counted = desk.counted
        self._runner: web.AppRunner | None = None

    # --- where it is -----------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """For the admin address, whose server needs SERVER_OPTIONS."""
        return [web.route("*", path, self._private) for path in PATHS]

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve `purge.listen` on listening sockets, which belong to the server from now on."""
        app = web.Application()
        app.router.add_route("*", "/" + _REST, self._public)
        self._runner = web.AppRunner(app, keepalive_timeout=30.0, **SERVER_OPTIONS)
        await self._runner.setup()
        for sock in sockets:
            await web.SockSite(self._runner, sock).start()

    async def aclose(self) -> None:
        """End it; any number of times."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _private(self, request: web.Request) -> web.Response:
        return await self._serve(request, reading_is_free=True)

    async def _public(self, request: web.Request) -> web.Response:
        return await self._serve(request, reading_is_free=False)

    # --- one request -----------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request, *, reading_is_free: bool) -> web.Response:
        target = request.raw_path.encode("utf-8", "surrogateescape")
        found = route(request.method.encode(), target)
        body, whole = bytearray(), False
        try:
            message = await self._message(request, target, body)
            if isinstance(message, Declined):
                answer = problem(message, found.shape if isinstance(found, Purge) else None)
            else:
                whole = True
                answer = await self._answer(message, found, reading_is_free=reading_is_free)
        except Exception:  # noqa: BLE001  # the caller is told, and the log
            _log.exception("a purge request failed", extra={"target": request.raw_path[:200]})
            answer = problem(declined(Reason.FAILED, "the node failed to answer"))
        finally:
            self.held -= len(body)
        self._count(found, answer)
        response = web.Response(status=answer.status, body=answer.body)
        response.headers.extend([(name.decode(), value.decode("latin-1")) for name, value in answer.fields])
        response.headers["Server"] = "perigee"  # else aiohttp says which versions we run
        if not whole:
            response.force_close()
        return response

    async def _message(self, request: web.Request, target: bytes, body: bytearray) -> Message | Declined:
        """The request with its whole body. body: what it is read into."""
        fields = Fields((name, value.strip(b" \t")) for name, value in request.raw_headers)
        hosts = fields.all(b"host")
        if not target.startswith(b"/") or len(hosts) != 1:
            return declined(Reason.BAD_REQUEST, "not exactly one Host, or a target that is no path")
        try:
            authority = parse_host(hosts[0], self._scheme(request, fields))
        except ClientFault as fault:
            return declined(Reason.BAD_REQUEST, fault.detail, "Host")
        if b"content-encoding" in fields:
            return declined(Reason.CONTENT_ENCODING, "the body is coded", "Content-Encoding")
        why = await self._read_body(request, body)
        return why or Message(request.method.encode(), authority, target, fields, bytes(body))

    def _scheme(self, request: web.Request, fields: Fields) -> bytes:
        """What the client spoke: as a proxy of ours says that ends TLS before us, else http."""
        said = fields.all(b"x-forwarded-proto")
        trusted = is_trusted(request.remote or "", self._settings().trusted_proxies)
        return b"https" if trusted and said == (b"https",) else b"http"

    async def _read_body(self, request: web.Request, body: bytearray) -> Declined | None:
        most = self._settings().purge.max_body
        too_large = declined(Reason.BODY_TOO_LARGE, f"the body has more than {most} bytes")
        if request.content_length is not None and request.content_length > most:
            return too_large
        try:
            async with asyncio.timeout(self._body_seconds):
                async for piece in request.content.iter_any():
                    body += piece
                    self.held += len(piece)
                    if len(body) > most:
                        return too_large
                    if self.held > self._max_held:
                        return declined(Reason.TOO_BUSY, "too many purges are under way", retry_after=1)
        except TimeoutError:
            return declined(Reason.BODY_TOO_SLOW, "the body did not come")
        except (ClientError, web.RequestPayloadError, ConnectionError):
            return declined(Reason.BAD_REQUEST, "the body broke off or is framed wrongly")
        return None

    async def _answer(self, message: Message, found: Route | Declined, *, reading_is_free: bool) -> Answer:
        if isinstance(found, Purge):
            return await self._purge(message, found)
        if isinstance(found, Declined):
            allowed = allowed_at(message.target)
            return problem(found, None, *([(b"Allow", b", ".join(allowed))] if allowed else []))
        if not (isinstance(found, Document) or reading_is_free):
            caller = self._desk.caller(message)
            if isinstance(caller, Declined):
                return problem(caller)
        if message.body:
            return problem(declined(Reason.UNEXPECTED_BODY, "this request has no body"))
        try:
            return await self._told(found)
        except LogUnavailable as fault:
            detail = "the log does not answer"
            return problem(declined(Reason.LOG_UNAVAILABLE, detail, retry_after=fault.retry_after))

    async def purge_by_method(self, head: RequestHead, peer: str) -> Answer:
        """PURGE on the public port. head: as the client sent it, without a body. peer: whom it came from, an IP address."""
        purge, message = Purge(Shape.METHOD), Message.of(head)
        caller = self._desk.caller_by_method(message, peer)
        answer = problem(caller) if isinstance(caller, Declined) else await self._take(message, purge, caller)
        self._count(purge, answer)
        return answer

    def _count(self, found: Route | Declined, answer: Answer) -> None:
        shape = found.shape.value if isinstance(found, Purge) else "read"
        self._counted.requests.of(shape, answer.outcome).value += 1

    # --- purging ---------------------------------------------------------------------------------------------------

    async def _purge(self, message: Message, purge: Purge) -> Answer:
        caller = self._desk.caller(message)
        if isinstance(caller, Declined):
            return problem(caller, purge.shape)
        return await self._take(message, purge, caller)

    async def _take(self, message: Message, purge: Purge, caller: Caller) -> Answer:
        request = read(purge, message, self._desk.asking(caller))
        if isinstance(request, Declined):
            return problem(request, purge.shape)
        if request.dry_run:
            return await self._dry_run(request, caller)
        ordered = await self._desk.order(request, caller)
        if isinstance(ordered, Declined):
            return problem(ordered, purge.shape)
        if request.wait is None:
            return accepted(purge, request.items, ordered)
        return await self._waited(request, ordered)

    async def _waited(self, request: PurgeRequest, ordered: Ordered) -> Answer:
        region = self._settings().region if request.wait is Wait.REGION else None
        self._counted.waiting.value += 1
        try:
            receipt = await self._fleet.wait(ordered.seq, ordered.history, region, request.timeout)
        finally:
            self._counted.waiting.value -= 1
        said = ordered_said(ordered) | {"receipt": receipt_said(receipt, self._mono(ordered.at))}
        outcome = "repeated" if ordered.repeated else "ordered"
        location: Line = (b"Location", f"/v1/purges/{ordered.id}".encode())
        return told(said, location, status=200 if receipt.is_complete else 202, outcome=outcome)

    async def _dry_run(self, request: PurgeRequest, caller: Caller) -> Answer:
        refusal = self._desk.permits(request, caller)
        if refusal is not None:
            return problem(refusal)
        order = PurgeOrder("dry-run", UnixSeconds(self._clock.now()), request.items, request.soft)
        refusal = oversized(order)
        if refusal is not None:
            return problem(refusal)
        try:
            answers = await self._fleet.ask(dry_run.question(order), DRY_RUN_SECONDS)
        except BusFault:
            detail = "the other nodes cannot be asked now"
            return problem(declined(Reason.LOG_UNAVAILABLE, detail, retry_after=RETRY_SECONDS))
        would = {node: dry_run.answered(said) for node, said in answers.items()}
        counted = {node: said for node, said in would.items() if said is not None}
        live = [node["node"] for node in self._fleet.described() if node["live"]]
        said = {
            "dry_run": True,
            "accepted": len(request.items),
            "soft": request.soft,
            "total": dry_run.together(counted.values()).as_json(),
            "nodes": [{"node": node, **said.as_json()} for node, said in sorted(counted.items())],
            "silent": sorted(set(live) - counted.keys()),
        }
        return told(said, outcome="dry-run")

    # --- telling ---------------------------------------------------------------------------------------------------

    async def _told(self, found: RecentPurges | OnePurge | Nodes | Document) -> Answer:
        match found:
            case Document():
                return told(openapi())
            case Nodes():
                return told({"surveyed": self._fleet.surveyed, "nodes": self._fleet.described()})
            case OnePurge(order_id):
                return await self._one(order_id)
            case RecentPurges(limit, before):
                return await self._recent(limit, before)
            case _ as never:
                assert_never(never)

    async def _one(self, order_id: str) -> Answer:
        known = await self._desk.find(order_id)
        if known is None:
            return problem(
                declined(Reason.NO_SUCH_PURGE, "no purge of that id is in the log, or it is long ago")
            )
        receipt = self._fleet.receipt(known.seq, known.history)
        said = order_said(known.order, known.seq, most=len(known.order.items))
        return told(
            said | {"history": known.history, "receipt": receipt_said(receipt, self._mono(known.order.at))}
        )

    async def _recent(self, limit: int, before: int | None) -> Answer:
        page = await self._log.history(limit=limit, before=before)
        purges = [order_said(past.order, past.seq, most=ITEMS_IN_A_LIST) for past in page]
        more = f"/v1/purges?limit={limit}&before={page[-1].seq}" if len(page) == limit else None
        return told({"purges": purges, "next": more})

    def _mono(self, at: float) -> float:
        """The monotonic time of a moment that an order names. at: unix seconds, by the clock of the node that took it."""
        return self._clock.mono() - (self._clock.now() - at)
