"""`perigee keys new | list | revoke`: the keys of those who may purge.

Owns: the files that it writes, and the print-outs. Rules: what signs is written once, for its owner only, and not into the
folder of the nodes; a key is never deleted here, since a revoked one that is tried is something to know of.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.errors import ConfigFault
from edge.purge.signing.key_files import key_files, read_key_file, written
from edge.purge.signing.key_schema import KEY
from edge.purge.signing.keys import ALL_KINDS, Algorithm, Key, KeyState, Scope, ScopeKind
from edge.purge.signing.private_keys import material_of, new_signing_key, pem, write_private
from edge.settings.document import parse
from edge.settings.problems import Problem, Refused, SettingsFault


@dataclass(frozen=True, slots=True)
class NewKey:
    """What `perigee keys new` was asked for. sites, kinds: empty = all (of kinds: all but everything)."""

    name: str
    folder: Path
    private: Path
    algorithm: str
    sites: list[str]
    kinds: list[str]
    everything: bool


def new(asked: NewKey) -> int:
    """Write the two files of a new key, and say what to do with them. ConfigFault."""
    values: dict[str, object] = {"id": asked.name, "algorithm": asked.algorithm, "sites": asked.sites or "*"}
    if asked.kinds:
        values["kinds"] = asked.kinds
    read = _read(values)
    if asked.everything and asked.sites:
        raise ConfigFault("--everything empties every site; leave out --site, or --everything")
    algorithm = read["algorithm"]
    assert isinstance(algorithm, Algorithm), algorithm
    signing = new_signing_key(asked.name, algorithm, secrets.token_bytes)
    scope = Scope(
        sites=frozenset(asked.sites) or None,
        kinds=frozenset(map(ScopeKind, asked.kinds)) or ALL_KINDS,
        may_purge_everything=asked.everything,
    )
    file = asked.folder / f"{asked.name}.toml"
    if asked.private.exists():
        raise ConfigFault(f"{asked.private} is there already; choose another name, or move it away")
    try:
        asked.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigFault(f"{asked.folder} cannot be made: {error.strerror or error}") from None
    write_private(file, written(Key(asked.name, algorithm, material_of(signing), scope)))
    if algorithm is Algorithm.ED25519:
        file.chmod(0o644)  # nothing in it is secret, and the nodes may run as somebody else
    write_private(asked.private, pem(signing))
    print(_next_steps(asked, file, algorithm))
    return 0


def _read(values: dict[str, object]) -> dict[str, object]:
    faults: list[str] = []
    read: dict[str, object] = {}
    for name, value in values.items():
        try:
            read[name] = KEY.settings[name].kind.read(value)
        except Refused as refusal:
            faults += [f"{name}: {fault.wrong}; {fault.instead}" for fault in refusal.faults]
    if faults:
        raise ConfigFault("\n".join(faults))
    return read


def _next_steps(asked: NewKey, file: Path, algorithm: Algorithm) -> str:
    shared = algorithm is Algorithm.HMAC_SHA256
    private = shlex.quote(str(asked.private))
    return "\n".join(
        (
            f"{file}: for the nodes' folder of keys, on every node{' (it has the secret in it)' if shared else ''}",
            f"{asked.private}: for whoever purges; keep it secret, nobody else needs it",
            f"It may purge {_said_scope(asked)}.",
            f"Try it: perigee sign --key {private} --url http://127.0.0.1:8081/v1/purges --data FILE",
            f"To take it back: perigee keys revoke {asked.name} --dir {shlex.quote(str(asked.folder))}",
        )
    )


def _said_scope(asked: NewKey) -> str:
    if asked.everything:
        return "everything"
    sites = ", ".join(asked.sites) if asked.sites else "every site"
    return f"{sites}, by {', '.join(asked.kinds) or 'any selector'}, and not everything at a stroke"


def show(folder: Path, *, to_json: bool) -> int:
    """Print the keys of a folder; what is wrong with files goes to standard error. 1 when anything is."""
    problems: list[Problem] = []
    keys: list[tuple[Path, Key]] = []
    for file in _files(folder):
        key, wrong = read_key_file(file)
        problems += wrong
        if key is not None:
            keys.append((file, key))
    if to_json:
        print(json.dumps([_as_json(file, key) for file, key in keys]))
    else:
        for line in _aligned(
            [("KEY", "ALGORITHM", "STATE", "VALID", "SITES", "KINDS", "COMMENT"), *map(_row, keys)]
        ):
            print(line)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        return key_files(folder)
    except OSError as error:
        raise ConfigFault(f"{folder} cannot be read: {error.strerror or error}") from None


def _kinds(key: Key) -> list[str]:
    extra = [ScopeKind.EVERYTHING.value] if key.scope.may_purge_everything else []
    return [*sorted(kind.value for kind in key.scope.kinds), *extra]


def _moment(seconds: float | None) -> str | None:
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    )


def _as_json(file: Path, key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "file": str(file),
        "algorithm": key.algorithm.value,
        "state": key.state.value,
        "not_before": _moment(key.not_before),
        "not_after": _moment(key.not_after),
        "sites": "*" if key.scope.sites is None else sorted(key.scope.sites),
        "kinds": _kinds(key),
        "comment": key.comment,
    }


def _row(held: tuple[Path, Key]) -> tuple[str, ...]:
    _, key = held
    since, until = (_moment(seconds) for seconds in (key.not_before, key.not_after))
    valid = " ".join((*(("from", since) if since else ()), *(("until", until) if until else ())))
    sites = "*" if key.scope.sites is None else ",".join(sorted(key.scope.sites))
    return (
        key.id,
        key.algorithm.value,
        key.state.value,
        valid or "always",
        sites,
        ",".join(_kinds(key)),
        key.comment,
    )


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def revoke(name: str, folder: Path) -> int:
    """Mark a key as revoked in its file, which keeps all else that is in it. ConfigFault."""
    for file in _files(folder):
        key, _ = read_key_file(file)
        if key is not None and key.id == name:
            break
    else:
        raise ConfigFault(
            f"no sound file in {folder} has the key {name}; see `perigee keys list --dir {folder}`"
        )
    if key.state is KeyState.REVOKED:
        print(f"{name} was revoked before")
        return 0
    _replace(file, revoked(str(file), file.read_bytes()))
    print(f"{name} is revoked in {file}; nodes that look into this folder refuse it within two seconds")
    return 0


def revoked(name: str, data: bytes) -> bytes:
    """The text of a key file with its state set to revoked, all other lines as they are. Raises SettingsFault."""
    said = 'state = "revoked"'
    before = parse(name, data)
    line = before.places.get(("state",))
    lines = data.decode("utf-8").split("\n")
    if line is None:
        lines.insert(0, said)
    else:
        lines[line - 1] = said
    text = "\n".join(lines).encode()
    wanted = {**before.table, "state": KeyState.REVOKED.value}
    try:
        is_done = parse(name, text).table == wanted
    except SettingsFault:
        is_done = False
    if not is_done:
        wrong = "the state does not stand on a line of its own"
        raise SettingsFault([Problem(name, line, "state", wrong, f"write {said}")])
    return text


def _replace(file: Path, data: bytes) -> None:
    """Whole or not at all: a node may be reading it."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        written_to = Path(opened.name)
        written_to.chmod(file.stat().st_mode & 0o7777)
        written_to.replace(file)
    except OSError as error:
        raise ConfigFault(f"{file} cannot be written: {error.strerror or error}") from None
