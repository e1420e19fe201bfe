"""What stands in the purge log. PURE. DESIGN section 4.

Owns: `PurgeOrder`, `Tick`, `NewHistory`, and their form in the log: one JSON object, versioned, strict. Rules: what cannot
be read to the last byte is `BadMessage`; the reader counts it, skips it and goes on (one bad message must not hold up all
later purges). Limits are part of the form: nothing longer is written or read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, assert_never

from edge.errors import ClientFault
from edge.semantics.message import UnixSeconds
from edge.semantics.selectors import (
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
    read_group,
    read_host,
    read_prefix,
    read_site,
    read_tag,
    read_uri,
    read_variant,
)
from edge.values import value

VERSION: Final = 1
MAX_ITEMS: Final = 1_000
"""Selectors of one order."""
MAX_BYTES: Final = 512 * 1024
"""Of one message in the log; the stream is made with the same bound."""
MAX_ID: Final = 64
MAX_HEARD: Final = 10_000
"""Nodes that one tick can speak for."""

_LONG: Final = 10_000
"""Characters of a text that its own reader bounds."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}")
_HISTORY = re.compile(r"[0-9a-f]{16}")


class BadMessage(ValueError):
    """Not a message of ours, or of a version that we do not know."""


@value(frozen=True, slots=True)
class PurgeOrder:
    """One purge. id: also the id of the message, so that a retry is the same order. at: when it was accepted.

    soft: what it names is stale from `at` on, instead of gone. by: the key's id, or who else may ask; nonce: of its
    signature, "" = it had none; created: of the signature, unix seconds, 0 = none. note: for people, at most 256 characters.
    """

    id: str
    at: UnixSeconds
    items: tuple[Selector, ...]
    soft: bool = False
    by: str = ""
    nonce: str = ""
    created: float = 0.0
    note: str = ""


@value(frozen=True, slots=True)
class Tick:
    """Proof of being current: a node that reads it in order knows all that was ordered before `heard` spoke.

    heard: by node, (instance, beat): what each had said last of itself when this was written (edge.purge.ticks).
    """

    at: UnixSeconds
    by: str
    heard: Mapping[str, tuple[str, int]]


@value(frozen=True, slots=True)
class NewHistory:
    """The log lost something that had been read: positions before this one mean nothing any more.

    history: 16 hex digits, new.
    """

    history: str
    by: str
    at: UnixSeconds


Message = PurgeOrder | Tick | NewHistory


def is_id(text: str) -> bool:
    """Whether it can be the id of an order."""
    return _ID.fullmatch(text) is not None


def encode(message: Message) -> bytes:
    """One JSON object."""
    said: dict[str, object]
    match message:
        case PurgeOrder():
            said = {
                "is": "purge",
                "id": message.id,
                "at": message.at,
                "items": [_written(item) for item in message.items],
                "soft": message.soft,
                "by": message.by,
                "nonce": message.nonce,
                "created": message.created,
                "note": message.note,
            }
        case Tick():
            heard = {node: list(beat) for node, beat in message.heard.items()}
            said = {"is": "tick", "at": message.at, "by": message.by, "heard": heard}
        case NewHistory():
            said = {"is": "history", "history": message.history, "by": message.by, "at": message.at}
        case _ as never:
            assert_never(never)
    return json.dumps({"v": VERSION, **said}, separators=(",", ":")).encode()


def decode(data: bytes) -> Message:
    """What `encode` wrote. BadMessage for anything else."""
    if len(data) > MAX_BYTES:
        raise BadMessage(f"{len(data)} bytes")
    try:
        said = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from None
    if not isinstance(said, dict) or said.get("v") != VERSION:
        raise BadMessage("not a message of this version")
    kind = said.get("is")
    names, read = _READERS.get(kind, _UNREAD) if isinstance(kind, str) else _UNREAD
    if said.keys() != names:
        raise BadMessage("no kind of message, or not one of this version")
    try:
        return read(said)
    except (KeyError, TypeError, ValueError, OverflowError, ClientFault) as error:
        raise BadMessage(f"{kind}: {error}") from None


def _read_order(said: Mapping[str, object]) -> PurgeOrder:
    items = said["items"]
    if not isinstance(items, list) or not 0 < len(items) <= MAX_ITEMS:
        raise BadMessage("no items, or too many")
    soft = said["soft"]
    if not isinstance(soft, bool):
        raise BadMessage("soft is true or false")
    order_id = _text(said["id"], MAX_ID)
    if not is_id(order_id):
        raise BadMessage("no id")
    return PurgeOrder(
        id=order_id,
        at=UnixSeconds(_number(said["at"])),
        items=tuple(_read_item(item) for item in items),
        soft=soft,
        by=_text(said["by"], 256),
        nonce=_text(said["nonce"], 256),
        created=_number(said["created"]),
        note=_text(said["note"], 256),
    )


def _read_tick(said: Mapping[str, object]) -> Tick:
    heard = said["heard"]
    if not isinstance(heard, dict) or len(heard) > MAX_HEARD:
        raise BadMessage("heard is an object")
    beats: dict[str, tuple[str, int]] = {}
    for node, beat in heard.items():
        if (
            not isinstance(beat, list)
            or len(beat) != 2
            or type(beat[1]) is not int
            or not 0 <= beat[1] < 2**63
        ):
            raise BadMessage("a beat is an instance and a number")
        beats[_text(node, 256)] = (_text(beat[0], 64), beat[1])
    return Tick(UnixSeconds(_number(said["at"])), _text(said["by"], 256), beats)


def _read_history(said: Mapping[str, object]) -> NewHistory:
    history = _text(said["history"], 16)
    if _HISTORY.fullmatch(history) is None:
        raise BadMessage("a history is 16 hex digits")
    return NewHistory(history, _text(said["by"], 256), UnixSeconds(_number(said["at"])))


_Reader = Callable[[Mapping[str, object]], Message]


def _unread(_said: Mapping[str, object]) -> Message:
    raise BadMessage("no kind of message")


_UNREAD: Final[tuple[frozenset[str], _Reader]] = (frozenset(), _unread)
_READERS: Final[dict[str, tuple[frozenset[str], _Reader]]] = {
    "purge": (
        frozenset(("v", "is", "id", "at", "items", "soft", "by", "nonce", "created", "note")),
        _read_order,
    ),
    "tick": (frozenset(("v", "is", "at", "by", "heard")), _read_tick),
    "history": (frozenset(("v", "is", "history", "by", "at")), _read_history),
}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    said = dict(pairs)
    if len(said) < len(pairs):
        raise BadMessage("a name stands twice")
    return said


def _text(said: object, most: int) -> str:
    if not isinstance(said, str) or len(said) > most:
        raise BadMessage(f"no text of up to {most} characters")
    return said


def _number(said: object) -> float:
    if type(said) not in (int, float) or not -1e15 < said < 1e15:  # type: ignore[operator]  # a number by then; NaN fails
        raise BadMessage("no number")
    return float(said)  # type: ignore[arg-type]


# --- selectors -------------------------------------------------------------------------------------------------------


def _written(item: Selector) -> dict[str, object]:
    match item:
        case Uri():
            return {"url": item.render()}
        case Variant(uri, fields):
            return {"url": uri.render(), "headers": {name.decode(): _loose(said) for name, said in fields}}
        case Tag(site, tag):
            return {"site": site, "tag": _loose(tag)}
        case Group(authority, group):
            return {"url": Uri(authority, b"/").render(), "group": group.decode()}
        case Prefix(host, path):
            return {"prefix": (host + path).decode()}
        case Host(host):
            return {"host": host.decode()}
        case Site(site):
            return {"site": site}
        case Everything():
            return {"everything": True}
        case _ as never:
            assert_never(never)


def _read_item(said: object) -> Selector:
    if not isinstance(said, dict):
        raise BadMessage("an item is an object")
    names = frozenset(said)
    if names == {"url"}:
        return read_uri(_text(said["url"], _LONG))
    if names == {"url", "headers"} and isinstance(said["headers"], dict):
        headers = {_text(name, _LONG): _text(value, _LONG) for name, value in said["headers"].items()}
        return read_variant(read_uri(_text(said["url"], _LONG)), headers)
    if names == {"site", "tag"}:
        return read_tag(_text(said["site"], _LONG), _text(said["tag"], _LONG))
    if names == {"url", "group"}:
        return read_group(_text(said["url"], _LONG), _text(said["group"], _LONG))
    if names == {"prefix"}:
        found = read_prefix(_text(said["prefix"], _LONG))
        if isinstance(found, Prefix):
            return found
    if names == {"host"}:
        return read_host(_text(said["host"], _LONG))
    if names == {"site"}:
        return read_site(_text(said["site"], _LONG))
    if said == {"everything": True}:
        return Everything()
    raise BadMessage("an item that this version does not know")


def _loose(said: bytes) -> str:
    return said.decode("utf-8", "surrogateescape")
