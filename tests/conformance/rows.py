"""A row: a rule of an RFC as a short conversation, and the code that holds it against a real edge.

Each row has a path of its own. In every turn the origin is told what it would answer, the client sends one request,
and what came of it is compared: how often the origin was asked, what it was asked, what the client got. Nothing
sleeps: a response is made old by its Age or Date. In header values `{now-100}` is an HTTP-date, `{base}` the edge's
URL and `{path}` the row's path.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Literal

from tests.kit.answer import Answer
from tests.kit.origin import Canned, HeadersLike, OriginRequest, ScriptedOrigin, header_list
from tests.kit.world import World

BODY = b"0123456789"
AGAIN = Canned(200, {"Cache-Control": "no-store"}, b"the origin was asked again")
"""What the origin answers where a row does not expect it to be asked."""


@dataclass(frozen=True, slots=True)
class Want:
    """What must come of a turn."""

    asks: int | None = 1
    """Requests that reach the origin; None = any number."""
    status: int | Sequence[int] = 200
    body: bytes | None = None
    """None: not looked at."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fields the client must get, with these values."""
    absent: Sequence[str] = ()
    """Fields the client must not get."""
    same: Sequence[tuple[str, str]] = ()
    """Pairs of fields that must have the same value."""
    age: tuple[int, int] | None = None
    """Least and most Age; None = not looked at."""
    cache_status: Mapping[str, str | Literal[True] | None] = field(default_factory=dict)
    """Parameters of our member of Cache-Status: a value, True = there, None = not there (RFC 9211 s2)."""
    origin_headers: Mapping[str, str] = field(default_factory=dict)
    origin_absent: Sequence[str] = ()
    origin_not: Mapping[str, str] = field(default_factory=dict)
    """Values the origin must not see in these fields."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, the origin's answer to it, and what must come of it."""

    want: Want
    request: HeadersLike = ()
    answer: Canned | Sequence[Canned] = AGAIN
    method: str = "GET"
    suffix: str = ""
    """Appended to the row's path."""
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: a sentence, where it stands, and the conversation."""

    name: str
    section: str
    turns: Sequence[Turn]

    @property
    def id(self) -> str:
        """For pytest: words and digits only."""
        return re.sub(r"[^a-zA-Z0-9]+", "-", self.name).strip("-")


def headers(cache_control: str | None = None, **fields: str) -> dict[str, str]:
    """Response fields; keywords are field names with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return named if cache_control is None else {"Cache-Control": cache_control} | named


def asked(
    answer: HeadersLike | Canned | Sequence[Canned] = (),
    *,
    request: HeadersLike = (),
    want: Want | None = None,
    body: bytes = BODY,
    method: str = "GET",
    suffix: str = "",
) -> Turn:
    """The origin is asked once, and what it says arrives (unless `want` says otherwise)."""
    if not isinstance(answer, Canned) and not _are_canned(answer):
        answer = Canned(200, answer, body)  # type: ignore[arg-type]  # _are_canned has ruled the sequence out
    if want is None:
        want = Want(status=answer.status, body=answer.body) if isinstance(answer, Canned) else Want()
    return Turn(want, request, answer, method, suffix)  # type: ignore[arg-type]  # headers were wrapped above


def reused(
    *,
    request: HeadersLike = (),
    method: str = "GET",
    suffix: str = "",
    want: Want | None = None,
    body: bytes = BODY,
) -> Turn:
    """The stored response answers; the origin is not asked."""
    expected = b"" if method == "HEAD" else body
    want = Want(body=expected) if want is None else want
    return Turn(replace(want, asks=0), request, AGAIN, method, suffix)


def not_reused(*, request: HeadersLike = (), suffix: str = "") -> Turn:
    """The stored response, if there is one, must not be used as it is."""
    return Turn(Want(body=AGAIN.body), request, AGAIN, suffix=suffix)


def _are_canned(answer: object) -> bool:
    return isinstance(answer, Sequence) and bool(answer) and all(isinstance(a, Canned) for a in answer)


async def hold(row: Row, world: World, origin: ScriptedOrigin) -> None:
    """Play the row; raises AssertionError at the first turn that goes wrong."""
    path = f"/{row.id}"
    for number, turn in enumerate(row.turns, 1):
        target = path + turn.suffix
        origin.on(target, _filled(turn.answer, world, path))
        before = len(origin.requests)
        request = header_list(_fill(turn.request, world, path))
        answer = await world.request(turn.method, target, request, turn.body)
        asks = [r for r in origin.requests[before:] if r.path.startswith(path)]
        where = f"turn {number} of {row.name!r} ({row.section})"
        for fault in _faults(turn, answer, asks, world, path):
            raise AssertionError(f"{where}: {fault}\n{_shown(answer)}")


def _faults(
    turn: Turn, answer: Answer, asks: Sequence[OriginRequest], world: World, path: str
) -> Iterable[str]:
    want = turn.want
    if not answer.complete:
        yield f"the answer was cut ({answer.ending.value})"
    if want.asks is not None and len(asks) != want.asks:
        yield f"the origin was asked {len(asks)} times, not {want.asks}: {[_asked(r) for r in asks]}"
    allowed = (want.status,) if isinstance(want.status, int) else want.status
    if answer.status not in allowed:
        yield f"status {answer.status}, not {want.status}"
    if want.body is not None and turn.method != "HEAD" and answer.body != want.body:
        yield f"body {answer.body[:200]!r}, not {want.body!r}"
    for name, value in _fill(want.headers, world, path):
        if answer.header(name) != value.encode():
            yield f"{name} is {answer.header(name)!r}, not {value!r}"
    for name in want.absent:
        if answer.header(name) is not None:
            yield f"{name} came: {answer.header(name)!r}"
    for one, other in want.same:
        if answer.header(one) is None or answer.header(one) != answer.header(other):
            yield f"{one} is {answer.header(one)!r}, but {other} is {answer.header(other)!r}"
    age = answer.header("Age") or b""
    if want.age is not None and not (age.isdigit() and want.age[0] <= int(age) <= want.age[1]):
        yield f"Age is {age!r}, not in {want.age}"
    ours = cache_status(answer)[-1][1] if want.cache_status else {}
    for key, wanted in want.cache_status.items():
        got = ours.get(key)
        if (got is None) if wanted is True else (got != wanted):
            yield f"Cache-Status {key} is {got!r}, not {wanted!r}"
    yield from _faults_at_origin(want, asks, world, path)


def _faults_at_origin(want: Want, asks: Sequence[OriginRequest], world: World, path: str) -> Iterable[str]:
    for name, value in _fill(want.origin_headers, world, path):
        if not asks or asks[0].header(name) != value.encode():
            yield f"the origin got {name} {asks[0].header(name) if asks else None!r}, not {value!r}"
    for name, value in want.origin_not.items():
        if any(value.encode() in (request.header(name) or b"") for request in asks):
            yield f"the origin got {name} with {value!r}"
    for name in want.origin_absent:
        if asks and asks[0].header(name) is not None:
            yield f"the origin got {name}: {asks[0].header(name)!r}"


def cache_status(answer: Answer) -> list[tuple[str, dict[str, str]]]:
    """The members of Cache-Status with their parameters, nearest cache last; a bare parameter is "?1"."""
    members = []
    for member in (answer.header("Cache-Status") or b"").decode("latin-1").split(","):
        name, *parameters = member.split(";")
        pairs = [p.strip().partition("=") for p in parameters]
        members.append((name.strip().strip('"'), {key: value.strip('"') or "?1" for key, _, value in pairs}))
    return members


def _filled(answer: Canned | Sequence[Canned], world: World, path: str) -> Canned | list[Canned]:
    if isinstance(answer, Canned):
        return replace(answer, headers=_fill(answer.headers, world, path))
    return [replace(a, headers=_fill(a.headers, world, path)) for a in answer]


def _fill(fields: HeadersLike, world: World, path: str) -> list[tuple[str, str]]:
    now = time.time()  # once: two dates of one head must not straddle a second

    def filled(text: str) -> str:
        text = re.sub(r"\{now([+-]\d+)?\}", lambda m: formatdate(now + int(m[1] or 0), usegmt=True), text)
        return text.replace("{base}", world.url).replace("{path}", path)

    pairs = header_list(fields)
    return [(name.decode("latin-1"), filled(value.decode("latin-1"))) for name, value in pairs]


def _asked(request: OriginRequest) -> str:
    return f"{request.method.decode()} {request.target.decode('latin-1')}"


def _shown(answer: Answer) -> str:
    lines = "\n".join(f"  {name.decode()}: {value.decode('latin-1')}" for name, value in answer.headers)
    return f"  {answer.status}\n{lines}\n  {answer.body[:200]!r}"
