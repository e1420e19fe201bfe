"""A TOML text, read against a schema. PURE.

Owns: `Document` (what a file says and on which lines), `parse`, `read_table`. Rules: everything that is wrong is found in
one pass; a name that is not known is an error with the nearest one that is; { env = "NAME" } is taken only in settings
that may be secret. The environment is given by the caller. TOML 1.0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from edge.settings.field_kinds import FieldLines
from edge.settings.places import line_of, locate
from edge.settings.problems import Path, Problem, Refused, SettingsFault, dotted, shown
from edge.settings.schema import Schema, Setting

MAX_FILE_BYTES = 1024 * 1024
"""A site is a few KB; a thousand of them in one file still fit."""

MAX_LINE_BYTES = 16 * 1024
"""Twice the longest field value. The parser takes time that is quadratic in the parts of one dotted key."""

_LONG_LINE = re.compile(rb"[^\n]{%d}" % (MAX_LINE_BYTES + 1))
_WORDS = re.compile("[._-]")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. file: its name in messages."""

    file: str
    table: Mapping[str, object]
    places: Mapping[Path, int]

    def problem(self, path: Path, wrong: str, instead: str) -> Problem:
        """A problem of what stands at `path`, or of what is missing there."""
        return Problem(self.file, line_of(self.places, path), dotted(path), wrong, instead)


@dataclass(slots=True)
class Written:
    """What a table says: setting paths and values; and what is wrong with it."""

    values: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(file: str, data: bytes) -> Document:
    """The document in `data`. Raises SettingsFault where it is no TOML."""
    if len(data) > MAX_FILE_BYTES:
        raise SettingsFault(
            [Problem(file, None, "", "the file is too large", f"allowed: {MAX_FILE_BYTES} bytes")]
        )
    long = _LONG_LINE.search(data)
    if long is not None:
        line = data.count(b"\n", 0, long.start()) + 1
        allowed = f"allowed: {MAX_LINE_BYTES} bytes; arrays may be broken"
        raise SettingsFault([Problem(file, line, "", "the line is too long", allowed)])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsFault([Problem(file, line, "", "the text is not UTF-8", "save it as UTF-8")]) from None
    if text.startswith("\ufeff"):
        raise SettingsFault(
            [Problem(file, 1, "", "the text starts with a byte order mark", "save it without one")]
        )
    try:
        table = tomllib.loads(text)
    except RecursionError:
        deep = Problem(
            file, None, "", "brackets are nested too deeply", "no setting needs more than five levels"
        )
        raise SettingsFault([deep]) from None
    except ValueError as error:  # TOMLDecodeError, and int() of thousands of digits
        raise SettingsFault([_syntax(file, text, str(error))]) from None
    return Document(file, table, locate(text))


def _syntax(file: str, text: str, said: str) -> Problem:
    position = _POSITION.search(said)
    line, column = 1, ""
    if position is not None:
        said = said[: position.start()]
        line = int(position[1]) if position[1] else text.rstrip().count("\n") + 1
        column = f" (column {position[2]})" if position[2] else " (at the end of the file)"
    if "nvalid value" in said:
        instead = "text, durations and sizes stand in quotes; true, false and numbers do not"
    elif "twice" in said or "overwrite" in said or "mutate" in said or "redefine" in said:
        instead = "each name and each [table] may stand once; only [[tables]] may repeat"
    else:
        instead = "see toml.io for the form"
    return Problem(file, line, "", f"this is no TOML: {said}{column}", instead)


def read_table(
    document: Document,
    table: Mapping[str, object],
    schema: Schema[Any],
    *,
    base: Path = (),
    env: Mapping[str, str],
    besides: frozenset[str] = frozenset(),
) -> Written:
    """Every setting in `table`. base: where the table stands. besides: names at the top that somebody else reads."""
    written = Written()
    waiting: list[tuple[Path, Mapping[str, object]]] = [((), table)]
    while waiting:
        at, inner = waiting.pop(0)
        for name, value in inner.items():
            path = (*at, name)
            known = ".".join(map(str, path))
            setting = schema.settings.get(known) if "." not in name else None
            if setting is not None:
                _read(document, setting, value, base=base, env=env, into=written)
            elif known in schema.tables and "." not in name:
                if isinstance(value, dict):
                    waiting.append((path, value))
                else:
                    wrong = f"{shown(value)} stands where a table belongs"
                    names = ", ".join(schema.children(known))
                    written.problems.append(
                        document.problem(base + path, wrong, f"write [{known}] with {names}")
                    )
            elif at or name not in besides:
                instead = _known_names(schema, at, name, besides)
                written.problems.append(document.problem(base + path, "this is not known", instead))
    written.problems += _disorders(document, schema, written.values, base)
    return written


def _read(
    document: Document, setting: Setting, value: object, *, base: Path, env: Mapping[str, str], into: Written
) -> None:
    path = (*base, *setting.steps)
    if setting.secret and isinstance(value, dict | list):
        missing: list[tuple[Path, str]] = []
        if isinstance(value, dict) and isinstance(setting.kind, FieldLines):
            value = {name: _substituted(inner, (name,), env, missing) for name, inner in value.items()}
        else:
            value = _substituted(value, (), env, missing)
        into.problems += [
            document.problem(path + at, f"the environment has no {name}", "set it before the start")
            for at, name in missing
        ]
        if missing:
            return
    try:
        into.values[setting.path] = setting.kind.read(value)
    except Refused as refusal:
        into.problems += [document.problem(path + f.at, f.wrong, f.instead) for f in refusal.faults]


def _substituted(value: object, at: Path, env: Mapping[str, str], missing: list[tuple[Path, str]]) -> object:
    """`value` with { env = "NAME" } replaced; what the environment lacks goes into `missing`."""
    if isinstance(value, list):
        pairs = enumerate(value)  # arrays in arrays are the kind's to refuse
        return [v if isinstance(v, list) else _substituted(v, (*at, i), env, missing) for i, v in pairs]
    if not isinstance(value, dict) or value.keys() != {"env"}:
        return value
    name = value["env"]
    if not isinstance(name, str) or name not in env:
        missing.append((at, name if isinstance(name, str) and name.isprintable() else shown(name)))
        return None
    return env[name]


def _known_names(schema: Schema[Any], at: Path, name: str, besides: frozenset[str]) -> str:
    table = ".".join(map(str, at))
    here = [*schema.children(table), *(sorted(besides) if not at else ())]
    close = get_close_matches(name.lower()[:100].replace("-", "_"), here, n=1, cutoff=0.7)
    if close:
        return f"did you mean {close[0]}? allowed here: {', '.join(here)}"
    words = sorted(_WORDS.split(name.lower()[:100]))
    elsewhere = [
        path
        for path in _everywhere(schema)
        if path.rsplit(".", 1)[-1] == name
        or sorted(_WORDS.split(path)) == words  # default_ttl is ttl.default
    ]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}? allowed here: {', '.join(here)}"
    return f"allowed here: {', '.join(here)}"


def _everywhere(schema: Schema[Any]) -> Iterator[str]:
    yield from (path for path in schema.tables if path)
    yield from schema.settings


def _disorders(
    document: Document, schema: Schema[Any], values: Mapping[str, object], base: Path
) -> list[Problem]:
    settled, wrong = schema.settle(values)
    problems: list[Problem] = []
    for disorder in wrong:
        low, high = (
            schema.settings[path].kind.write(settled.get(path, schema.default(path)))
            for path in (disorder.order.low, disorder.order.high)
        )
        by_default = "" if disorder.order.high in values else ", its default"
        problems.append(
            document.problem(
                (*base, *schema.settings[disorder.blamed].steps),
                f"{low} is more than {disorder.order.high} ({high}{by_default})",
                f"lower it, or raise {disorder.order.high}",
            )
        )
    return problems


def names_at_top(table: Mapping[str, object], schema: Schema[Any]) -> int:
    """How many names at the top of a document a schema knows: which kind of file it is."""
    return len(table.keys() & set(schema.children("")))
