"""One finished exchange as one line of the access log. PURE.

Owns: `Ended`, the forms `combined` and `json`, and forms that the operator writes. Rules: whatever a client sends, it
makes one line and stays in its place in it: quotes, backslashes, control characters and everything that is not ASCII are
escaped (as Apache does, or as JSON does); values are cut at a length at which a line fits in `MAX_LINE_BYTES`, which is what
a pipe takes from several workers without mixing their lines (POSIX: PIPE_BUF).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from types import MappingProxyType

from edge.exchange import Reply
from edge.semantics.message import EMPTY, Fields
from edge.settings.log_format import NAMES, pieces
from edge.wire.request import ParsedRequest

MAX_LINE_BYTES = 4096
MAX_TARGET = 1800
MAX_FIELD = 400
"""Bytes of a client's value, escaped: two of these and a target leave a quarter of a line for the rest."""

NOTHING = b"-"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAFE = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
_ESCAPES = {byte: b"\\x%02x" % byte for byte in range(256) if byte not in _SAFE} | {
    ord('"'): b'\\"',
    ord("\\"): b"\\\\",
    ord("\n"): b"\\n",
    ord("\r"): b"\\r",
    ord("\t"): b"\\t",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One second in the forms that lines have it in. unix: whole seconds."""

    unix: int
    clock: bytes
    date: str

    @classmethod
    def of(cls, unix: int) -> Moment:
        """Written once a second, for all lines of it. UTC."""
        at = datetime.fromtimestamp(unix, UTC)
        clock = f"{at.day:02d}/{_MONTHS[at.month - 1]}/{at.year:04d}:{at:%H:%M:%S} +0000"
        return cls(unix, clock.encode(), f"{at:%Y-%m-%dT%H:%M:%S}")


@dataclass(slots=True)
class Ended:
    """One exchange that ended. millis: 0 to 999, beside `moment`. client: peer, or what trusted proxies said."""

    moment: Moment
    millis: int
    client: str
    peer: str
    request: ParsedRequest | None
    reply: Reply
    sent: int
    seconds: float
    whole: bool

    @property
    def fields(self) -> Fields:
        """Of the request."""
        return EMPTY if self.request is None else self.request.head.fields


Former = Callable[[Ended], bytes]
"""Makes a line, its end included."""


@lru_cache(2048)
def _escaped_short(value: bytes) -> bytes:
    return _escaped(value, MAX_FIELD)


def _escaped(value: bytes, limit: int) -> bytes:
    if value.translate(None, _SAFE):
        value = b"".join(_ESCAPES.get(byte) or bytes((byte,)) for byte in value[: limit + 1])
    return value if len(value) <= limit else value[:limit].rstrip(b"\\") + b"..."


def escaped(value: bytes | None, limit: int = MAX_FIELD) -> bytes:
    """As Apache writes it between quotes, cut at `limit`; "-" for None and for nothing."""
    if not value:
        return NOTHING
    # Browsers send the same few over and over; what is long is rarely sent twice.
    return _escaped_short(value) if limit == MAX_FIELD and len(value) <= MAX_FIELD else _escaped(value, limit)


def escaped_line(line: bytes) -> bytes:
    """A request line, as `escaped` would have it."""
    return escaped(line, MAX_TARGET)


def combined(ended: Ended) -> bytes:
    """Apache's combined form, and nothing else."""
    request, fields = ended.request, ended.fields
    return combined_of(
        ended.client.encode(),
        ended.moment,
        NOTHING if request is None else escaped_line(request.line),
        ended.reply.status,
        ended.sent,
        escaped(fields.get(b"referer")),
        escaped(fields.get(b"user-agent")),
    )


def combined_of(
    client: bytes, moment: Moment, line: bytes, status: int, sent: int, referer: bytes, agent: bytes
) -> bytes:
    """The same of its parts, those of the client escaped."""
    if not sent:
        return b'%b - - [%b] "%b" %d - "%b" "%b"\n' % (client, moment.clock, line, status, referer, agent)
    return b'%b - - [%b] "%b" %d %d "%b" "%b"\n' % (client, moment.clock, line, status, sent, referer, agent)


def _quoted(value: bytes, limit: int = MAX_FIELD) -> str:
    """A JSON string, cut at `limit`. Bytes beyond ASCII are taken as Latin-1."""
    text = encode_basestring_ascii(value[:limit].decode("latin-1"))
    while len(text) > limit + 2:  # escapes made it longer
        value = value[: len(value[:limit]) * 3 // 4]
        text = encode_basestring_ascii(value.decode("latin-1"))
    return text


_quoted_short = lru_cache(2048)(_quoted)


def _field(fields: Fields, name: bytes) -> str:
    """A JSON string, or null."""
    value = fields.get(name)
    if value is None:
        return "null"
    return _quoted_short(value) if len(value) <= MAX_FIELD else _quoted(value)


_TRUTH = ("false", "true")


@lru_cache(2048)
def _words(site: str, cache: str, because: str | None, stored: bool, collapsed: bool) -> str:
    """What was decided: a few hundred combinations at most, the same ones all the time."""
    reason = "null" if because is None else f'"{because}"'
    return (
        f'"cache":"{cache}","because":{reason},"stored":{_TRUTH[stored]},"collapsed":{_TRUTH[collapsed]},'
        f'"site":{encode_basestring_ascii(site)}'
    )


def as_json(ended: Ended) -> bytes:
    """One JSON object."""
    request, fields, verdict = ended.request, ended.fields, ended.reply.verdict
    asked = '"method":null,"scheme":null,"host":null,"target":null,"protocol":null'
    if request is not None:
        head = request.head
        authority = head.authority
        asked = (
            f'"method":{_quoted_short(head.method)},"scheme":{_quoted_short(authority.scheme)},'
            f'"host":{_quoted_short(authority.host)},"target":{_quoted(head.target, MAX_TARGET)},'
            f'"protocol":"HTTP/1.{head.minor}"'
        )
    because = verdict.because
    # `.value` of an Enum is a call into Python; `_value_` is the attribute behind it.
    reason = None if because is None else because._value_
    words = _words(verdict.site, verdict.cache, reason, verdict.stored, verdict.collapsed)
    detail = encode_basestring_ascii(verdict.detail[: MAX_FIELD // 6]) if verdict.detail else '""'
    return (
        f'{{"time":"{ended.moment.date}.{ended.millis:03d}Z","client":"{ended.client}",{asked},'
        f'"status":{ended.reply.status},"bytes":{ended.sent},"seconds":{ended.seconds:.6f},{words},'
        f'"referer":{_field(fields, b"referer")},"user_agent":{_field(fields, b"user-agent")},'
        f'"whole":{_TRUTH[ended.whole]},"detail":{detail}}}\n'
    ).encode("ascii")


def _request_part(take: Callable[[ParsedRequest], bytes]) -> Former:
    return lambda ended: NOTHING if ended.request is None else take(ended.request)


_VALUES: Mapping[str, Former] = MappingProxyType(
    {
        "time": lambda e: f"{e.moment.date}.{e.millis:03d}Z".encode(),
        "clock": lambda e: e.moment.clock,
        "unix": lambda e: b"%d.%03d" % (e.moment.unix, e.millis),
        "client": lambda e: e.client.encode(),
        "peer": lambda e: e.peer.encode(),
        "request": _request_part(lambda r: escaped_line(r.line)),
        "method": _request_part(lambda r: escaped(r.head.method)),
        "scheme": _request_part(lambda r: r.head.authority.scheme),
        "host": _request_part(lambda r: escaped(r.head.authority.host)),
        "target": _request_part(lambda r: escaped(r.head.target, MAX_TARGET)),
        "protocol": _request_part(lambda r: b"HTTP/1.%d" % r.head.minor),
        "status": lambda e: b"%d" % e.reply.status,
        "bytes": lambda e: b"%d" % e.sent,
        "seconds": lambda e: b"%.6f" % e.seconds,
        "whole": lambda e: _TRUTH[e.whole].encode(),
        "site": lambda e: escaped(e.reply.verdict.site.encode()),
        "cache": lambda e: e.reply.verdict.cache.encode(),
        "because": lambda e: NOTHING if (b := e.reply.verdict.because) is None else b.value.encode(),
        "stored": lambda e: _TRUTH[e.reply.verdict.stored].encode(),
        "collapsed": lambda e: _TRUTH[e.reply.verdict.collapsed].encode(),
        "detail": lambda e: escaped(e.reply.verdict.detail.encode()),
        "referer": lambda e: escaped(e.fields.get(b"referer")),
        "user_agent": lambda e: escaped(e.fields.get(b"user-agent")),
    }
)
assert _VALUES.keys() == NAMES.keys(), f"a name without a value: {_VALUES.keys() ^ NAMES.keys()}"


def former(form: str) -> Former:
    """What makes lines of a form: `combined`, `json`, or one with {names} in it. BadFormat."""
    if form == "combined":
        return combined
    if form == "json":
        return as_json
    parts = pieces(form)
    template = b"".join(text.encode().replace(b"%", b"%%") + (b"%b" if name else b"") for text, name in parts)
    values = tuple(_VALUES[name] for _, name in parts if name)

    def own(ended: Ended) -> bytes:
        line = template % tuple(value(ended) for value in values)
        return line[: MAX_LINE_BYTES - 1] + b"\n"

    return own
