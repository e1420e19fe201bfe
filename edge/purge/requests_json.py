"""JSON off the wire, read strictly. PURE. RFC 8259, RFC 6901.

Owns: `read_object` and the typed look into what it gives. Rules: UTF-8 only, without a byte order mark; each member once;
no NaN and no Infinity; no lone surrogates in text; the top is an object. Whoever reads a member says which type it has and
which others there may be, so that a misspelled one is refused and never passed over. Where something is wrong is said as a
JSON pointer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from edge.purge.declined import Reason, Unacceptable

Object = Mapping[str, object]


def read_object(body: bytes) -> Object:
    """The object that is the whole body. Raises Unacceptable."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unacceptable(Reason.NOT_UTF_8, f"byte {error.start} of the body is no UTF-8") from None
    try:
        said = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except RecursionError:
        raise Unacceptable(Reason.JSON_TOO_DEEP, "the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        detail = "the body is empty" if not text else f"{error.msg} at character {error.pos} of the body"
        raise Unacceptable(Reason.NOT_JSON, detail) from None
    except ValueError:  # an integer of more digits than Python reads
        raise Unacceptable(Reason.NOT_JSON, "a number has too many digits") from None
    if not isinstance(said, dict):
        raise Unacceptable(Reason.WRONG_TYPE, f"the body is {_kind(said)}, not an object")
    return said


def only(said: Object, names: Iterable[str], at: str = "") -> None:
    """Raises Unacceptable where the object has a member of another name. at: the pointer to the object."""
    unknown = said.keys() - set(names)
    if unknown:
        name = min(unknown)
        raise Unacceptable(
            Reason.UNKNOWN_MEMBER, f"there is no member {_quoted(name)} here", pointer(at, name)
        )


def text_of(said: object, at: str) -> str:
    """A string. Raises Unacceptable."""
    if not isinstance(said, str):
        raise Unacceptable(Reason.WRONG_TYPE, f"{_kind(said)}, not a string", at)
    if any("\ud800" <= character <= "\udfff" for character in said):
        raise Unacceptable(Reason.NOT_UTF_8, "a lone surrogate", at)
    return said


def flag_of(said: object, at: str) -> bool:
    """Yes or no. Raises Unacceptable."""
    if not isinstance(said, bool):
        raise Unacceptable(Reason.WRONG_TYPE, f"{_kind(said)}, not true or false", at)
    return said


def list_of(said: object, at: str) -> Sequence[object]:
    """An array. Raises Unacceptable."""
    if not isinstance(said, list):
        raise Unacceptable(Reason.WRONG_TYPE, f"{_kind(said)}, not an array", at)
    return said


def object_of(said: object, at: str) -> Object:
    """An object. Raises Unacceptable."""
    if not isinstance(said, dict):
        raise Unacceptable(Reason.WRONG_TYPE, f"{_kind(said)}, not an object", at)
    return said


def pointer(at: str, name: str | int) -> str:
    """`at` with one more reference token (RFC 6901 s3)."""
    return f"{at}/{str(name).replace('~', '~0').replace('/', '~1')[:100]}"


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Unacceptable(Reason.MEMBER_TWICE, f"the member {_quoted(twice)} stands twice in one object")
    return made


def _no_constant(said: str) -> object:
    raise Unacceptable(Reason.NOT_JSON, f"{said} is no number of JSON")


def _kind(said: object) -> str:
    match said:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _quoted(name: str) -> str:
    """A member's name as the caller wrote it, cut, in ASCII."""
    return json.dumps(name[:60])
