"""The body of a storable answer on its way in: to the readers, and to memory or a spool.

Owns: `Inflow`. Rules: a body that breaks off is never stored, and its readers are told; the last bytes reach the
store before they reach a reader; a store that fails costs the copy, not the answer; what is not to be stored comes
only as long as somebody reads it.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import EdgeError, StoreFault, UpstreamFault
from edge.fill.body import FillBody
from edge.fill.order import FillSpool, FillStore
from edge.fill.table import Outcome
from edge.fill.upstream import Fetched
from edge.semantics.stored import StoredResponse
from edge.values import replace


class Inflow:
    """See the module.

    length: as declared, None = not known. is_tainted: an invalidation came since it was asked for. is_wanted: somebody is
    about to read the body who is not yet one of its readers. out_of_reach: called when nobody can read it from its
    beginning any more.
    """

    __slots__ = (
        "_body",
        "_fetched",
        "_is_tainted",
        "_is_wanted",
        "_length",
        "_max_object",
        "_on_store_fault",
        "_out_of_reach",
        "_spool",
        "_store",
        "_stored",
        "_storing",
    )

    def __init__(
        self,
        stored: StoredResponse,
        body: FillBody,
        length: int | None,
        fetched: Fetched,
        *,
        store: FillStore,
        max_object: int,
        is_tainted: Callable[[], bool],
        is_wanted: Callable[[], bool],
        out_of_reach: Callable[[], None],
        on_store_fault: Callable[[StoreFault], None],
    ) -> None:
        self._stored = stored
        self._body = body
        self._length = length
        self._fetched = fetched
        self._store = store
        self._max_object = max_object
        self._is_tainted = is_tainted
        self._is_wanted = is_wanted
        self._out_of_reach = out_of_reach
        self._on_store_fault = on_store_fault
        self._spool: FillSpool | None = None
        self._storing = True

    async def run(self) -> Outcome:
        """To the end. A body that breaks off is never stored, and its readers are told."""
        body = self._body
        try:
            if self._length is not None and self._length > body.window:
                await self._open_spool()
            while piece := await self._fetched.body.read():
                if self._length is not None and body.size + len(piece) == self._length:
                    await self._last(bytes(piece))
                    break
                await self._more(bytes(piece))
            else:
                await self._last(b"")
            body.end(self._fetched.body.trailers)
            return Outcome.COMPLETE
        except EdgeError as error:
            body.fail(error)
            return Outcome.FAILED
        finally:
            # Also the way out of a cancellation: nobody may wait for a body that no longer comes.
            body.fail(UpstreamFault("the fill ended early", proxy_status="http_response_incomplete"))
            if not body.ended:
                self._fetched.body.abort()
            if self._spool is not None:
                self._spool.abort()

    async def _more(self, piece: bytes) -> None:
        body = self._body
        body.add(piece)
        if self._storing and body.size > self._max_object:
            self._stop_storing()
        if body.size > body.window and self._spool is None and self._storing:
            await self._open_spool()
        try:
            await body.make_room()
        except StoreFault as fault:
            self._lose(fault)
        if not body.reaches(0):
            self._out_of_reach()
        is_for_readers_only = not self._storing or self._is_tainted()
        if is_for_readers_only and not body.readers and not self._is_wanted():
            raise UpstreamFault("nobody reads the rest", proxy_status="http_response_incomplete")

    async def _open_spool(self) -> None:
        if self._stored.body_length > self._max_object:
            self._storing = False
            return
        try:
            self._spool = await self._store.open_spool(self._stored, self._length)
        except StoreFault as fault:
            self._lose(fault)
        self._body.spool = self._spool
        if self._spool is None:
            self._storing = False

    def _lose(self, fault: StoreFault) -> None:
        self._on_store_fault(fault)
        self._stop_storing()

    def _stop_storing(self) -> None:
        self._storing = False
        self._body.lose_spool()
        if self._spool is not None:
            self._spool.abort()
            self._spool = None

    async def _last(self, piece: bytes) -> None:
        """The last bytes: the store has the whole before a reader can see its end."""
        body = self._body
        size = body.size + len(piece)
        if size > self._max_object or self._is_tainted():
            self._stop_storing()
        if self._spool is not None:
            await self._last_to_spool(self._spool, piece, size)
            return
        body.add(piece)
        if self._storing and body.is_whole_in_memory:
            self._store.put(replace(self._stored, body_length=size), body.join())

    async def _last_to_spool(self, spool: FillSpool, piece: bytes, size: int) -> None:
        body, is_spooled = self._body, False
        try:
            await body.flush()
            if piece:
                await spool.append(piece)
            is_spooled = True
            if self._is_tainted():
                self._stop_storing()  # it came during the flush
            else:
                await spool.finish(replace(self._stored, body_length=size))
        except StoreFault as fault:
            self._lose(fault)
        if is_spooled:
            body.add_spooled(piece)
        else:
            body.add(piece)
