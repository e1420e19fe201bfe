"""The one place where a finished exchange is counted and written down.

Owns: `AccessLog`. Rules: counting costs a look-up by what the decision was, then plain additions; a line is made at once
(the request is gone afterwards) and written with others, at the latest after FLUSH_SECONDS, by a thread. Where the log is
off, no line is made. An exchange between workers is neither counted nor written: the worker that the client is
connected to does both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.exchange import Reply, Verdict
from edge.lane import LaneHit, request_of
from edge.measures import Measures
from edge.metrics import Counter, Histogram
from edge.semantics.forwarding import client_address
from edge.semantics.message import EMPTY
from edge.server.log_lines import (
    Ended,
    Former,
    Moment,
    combined,
    combined_of,
    escaped,
    escaped_line,
    former,
)
from edge.server.log_writer import LogWriter
from edge.settings.node import LogSettings, LogTarget, Network
from edge.wire.request import ParsedRequest

_log = logging.getLogger("perigee.log")

FLUSH_SECONDS = 0.25
FLUSH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Cells:
    """Where exchanges of one kind are counted."""

    requests: Counter
    sent: Counter
    seconds: Histogram


class Unrecorded:
    """A `Recorder` that neither counts nor writes."""

    def record(
        self,
        peer: str,
        request: ParsedRequest | None,
        reply: Reply,
        sent: int,
        seconds: float,
        *,
        whole: bool,
    ) -> None:
        """Nothing: the worker that asked records it."""

    def record_hit(self, peer: str, hit: LaneHit, sent: int, seconds: float) -> None:
        """Nothing."""


class AccessLog:
    """A `Recorder` (edge.server.listener). To be made on the running loop. OSError when the file cannot be opened."""

    def __init__(
        self, settings: LogSettings, clock: Clock, measures: Measures, *, trusted: Sequence[Network] = ()
    ) -> None:
        self._clock = clock
        self._measures = measures
        self._trusted = tuple(trusted)
        self._cells: dict[tuple[str, str, int, int], _Cells] = {}
        self._dropped = measures.log_lines_dropped.of("access")
        self._loop = asyncio.get_running_loop()
        self._moment = Moment.of(int(clock.now()))
        self._lines: list[bytes] = []
        self._size = 0
        self._flusher: asyncio.TimerHandle | None = None
        self._writer: LogWriter | None = None
        self._former: Former | None = None
        self._settings = settings
        self._set_up(settings)

    def of_tier(self) -> Unrecorded:
        """For the socket on which other workers ask."""
        return Unrecorded()

    def apply(self, settings: LogSettings, trusted: Sequence[Network] = ()) -> None:
        """New settings, from the next exchange on. A file that cannot be opened leaves the log where it is."""
        self._trusted = tuple(trusted)
        self._cells.clear()  # sites that are gone would stay in it
        if settings != self._settings:
            self._flush()
            try:
                self._set_up(settings)
            except OSError as error:
                _log.error("access log cannot be opened", extra={"error": str(error)})
            self._settings = settings

    def reopen(self) -> None:
        """The file was renamed."""
        self._flush()
        if self._writer is not None:
            self._writer.reopen()

    async def aclose(self) -> None:
        """Write what is left."""
        self._flush()
        writer, self._writer, self._former = self._writer, None, None
        if writer is not None:
            await asyncio.to_thread(writer.close)

    def _set_up(self, settings: LogSettings) -> None:
        if settings.access is LogTarget.OFF:
            self._former = None
            return
        target = settings.access if isinstance(settings.access, Path) else None
        if self._writer is None:
            self._writer = LogWriter(target, on_drop=self._drop)
        elif settings.access != self._settings.access:
            self._writer.open(target)
        self._former = former(settings.format)

    def _drop(self, lines: int) -> None:
        self._dropped.value += lines

    def record(
        self,
        peer: str,
        request: ParsedRequest | None,
        reply: Reply,
        sent: int,
        seconds: float,
        *,
        whole: bool,
    ) -> None:
        """One exchange ended."""
        verdict = reply.verdict
        because = verdict.because
        # An Enum's own hash is a call into Python; its members live as long as we do.
        key = (verdict.site, verdict.cache, id(because), reply.status // 100)
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = self._looked_up(verdict, reply.status)
        cells.requests.value += 1
        cells.sent.value += sent
        cells.seconds.observe(seconds)
        form = self._former
        if form is None:
            return
        now = self._clock.now()
        whole_seconds = int(now)
        client = peer
        if self._trusted and request is not None:
            client = client_address(peer, request.head.fields, self._trusted)
        millis = int((now - whole_seconds) * 1000.0)
        moment = self._at(whole_seconds)
        self._add(form(Ended(moment, millis, client, peer, request, reply, sent, seconds, whole)))

    def record_hit(self, peer: str, hit: LaneHit, sent: int, seconds: float) -> None:
        """The same as `record` for an answer of the lane, at less cost: where it is counted is kept with its head."""
        ready, _, line, known = hit
        form = self._former
        if form is not None and (form is not combined or self._trusted):
            reply = Reply(ready.status, b"", EMPTY, None, None, ready.verdict)
            self.record(peer, request_of(line, known), reply, sent, seconds, whole=True)
            return
        cells: _Cells | None = ready.counted
        if cells is None:
            cells = ready.counted = self._looked_up(ready.verdict, ready.status)
        cells.requests.value += 1
        cells.sent.value += sent
        cells.seconds.observe(seconds)
        if form is None:
            return
        kind, referer = known.what, known.referer
        shown, agent = line.shown, kind.agent
        if shown is None:
            shown = line.shown = escaped_line(line.raw)
        if agent is None:
            agent = kind.agent = escaped(kind.first.head.fields.get(b"user-agent"))
        if referer is None:
            referer = kind.first.head.fields.get(b"referer")
        moment = self._at(int(self._clock.now()))
        self._add(combined_of(peer.encode(), moment, shown, ready.status, sent, escaped(referer), agent))

    def _at(self, unix: int) -> Moment:
        moment = self._moment
        if moment.unix != unix:
            moment = self._moment = Moment.of(unix)
        return moment

    def _add(self, line: bytes) -> None:
        """A line, to be written soon."""
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self._flush()
        elif self._flusher is None:
            self._flusher = self._loop.call_later(FLUSH_SECONDS, self._flush)

    def _looked_up(self, verdict: Verdict, status: int) -> _Cells:
        because = "-" if verdict.because is None else verdict.because.value
        measures = self._measures
        return _Cells(
            measures.requests.of(verdict.site, verdict.cache, because, f"{status // 100}xx"),
            measures.response_bytes.of(verdict.site, verdict.cache),
            measures.request_seconds.of(verdict.cache),
        )

    def _flush(self) -> None:
        """Hand what there is to the thread."""
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        if self._lines and self._writer is not None:
            self._writer.write(self._lines, self._size)
        self._lines, self._size = [], 0
