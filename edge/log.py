"""The application's log: structured lines on standard error.

Owns: the form of a line and how it gets out. Rules: one record is one line, whatever is in it (control characters are
escaped, so nobody outside can forge a line); values go in `extra={...}`, the message is constant; writing never blocks
the loop: records go through a bounded queue to a thread, and what does not fit is dropped and counted. Loggers are
named perigee.<room>. The access log is not this: edge.server writes that.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import TextIO

QUEUE_RECORDS = 10_000
"""Records waiting for a standard error that is not being read; about 5 MB."""

MAX_VALUE_CHARS = 2_000
"""A longer value is cut; a traceback is not a value."""

_BORN_WITH = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}


class Form(Enum):
    """How a line looks: for people and journald, or for machines."""

    TEXT = "text"
    JSON = "json"


class TextForm(logging.Formatter):
    """`2026-11-24T10:00:00.123Z WARNING perigee.fill message key=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, with the values of `extra` in their order."""
        parts = [_stamp(record), record.levelname, record.name, _one_line(record.getMessage())]
        parts += [f"{name}={_quoted(value)}" for name, value in _extras(record).items()]
        if record.exc_info:
            parts.append(f"traceback={json.dumps(self.formatException(record.exc_info))}")
        return " ".join(parts)


class JsonForm(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the values of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_VALUE_CHARS],
        }
        for name, value in _extras(record).items():
            plain = value is None or isinstance(value, bool | int | float)
            line[name] = value if plain else _text(value)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _stamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _BORN_WITH}


def _text(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}..."


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _quoted(value: object) -> str:
    text = _text(value)
    return text if text and text.isprintable() and not {" ", '"', "="} & set(text) else json.dumps(text)


class _Dropping(QueueHandler):
    """Puts records into the queue, or counts them as dropped."""

    def __init__(
        self, records: SimpleQueue[logging.LogRecord], bound: int, on_drop: Callable[[], None]
    ) -> None:
        super().__init__(records)
        self._records = records
        self._bound = bound
        self._on_drop = on_drop

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record as it is: the writer is a thread of this process, and the form needs `exc_info`."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits. The bound is held here, so that the listener's own end mark always fits."""
        if self._records.qsize() < self._bound:
            self._records.put_nowait(record)
        else:
            self._on_drop()


class Log:
    """The log while it is set up. `dropped` counts the lines that could not be written in time."""

    def __init__(self, listener: QueueListener, handler: logging.Handler) -> None:
        self._listener = listener
        self._handler = handler
        self.dropped = 0

    def close(self) -> None:
        """Write what is queued, and stop; the root logger is as it was before `set_up`."""
        logging.getLogger().removeHandler(self._handler)
        self._listener.stop()


def set_up(
    *,
    level: str = "INFO",
    form: Form = Form.TEXT,
    stream: TextIO | None = None,
    queue_records: int = QUEUE_RECORDS,
) -> Log:
    """Send every logger's records to `stream` (None: standard error). level: a name of the logging module's.

    To be called once by whoever owns the process, who closes what it returns. ValueError for an unknown level.
    """
    writer = logging.StreamHandler(sys.stderr if stream is None else stream)
    writer.setFormatter(JsonForm() if form is Form.JSON else TextForm())
    records: SimpleQueue[logging.LogRecord] = SimpleQueue()

    def dropped() -> None:
        log.dropped += 1

    handler = _Dropping(records, queue_records, dropped)
    listener = QueueListener(records, writer)
    log = Log(listener, handler)
    root = logging.getLogger()
    root.setLevel(level.upper())
    root.addHandler(handler)
    listener.start()
    return log
