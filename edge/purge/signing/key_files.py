"""A folder of key files, one key each.

Owns: `load_keys`, and the text of a key file. Rules: edge.settings.document, with every problem of every file in one
`SettingsFault`; all keys or none, since a ring that lacks the one that was misspelled is not what anybody wrote. A file
that others can write is refused, because a key in it is anybody's, and so is one with a secret in it that others can
read. This blocks (it reads files): on a running loop it belongs into a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from edge.purge.signing.key_schema import KEY
from edge.purge.signing.keys import Algorithm, Key, KeyRing, KeyState
from edge.settings.document import MAX_FILE_BYTES, Document, parse, read_table
from edge.settings.problems import Problem, SettingsFault, shown

MAX_FILES = 1_000

_MATERIAL = {Algorithm.ED25519: "public_key", Algorithm.HMAC_SHA256: "secret"}


def key_files(folder: Path) -> tuple[Path, ...]:
    """The key files that there are now, by name. It blocks. OSError where there is no folder."""
    return tuple(sorted(islice((file for file in folder.iterdir() if file.suffix == ".toml"), MAX_FILES + 1)))


def load_keys(folder: Path, *, env: Mapping[str, str] | None = None) -> KeyRing:
    """Every key in `folder`. Raises SettingsFault with every problem. An empty folder is an empty ring: nobody may purge.

    env: where { env = "NAME" } is looked up, None = the process's environment. Thread-safe; it blocks.
    """
    try:
        files = key_files(folder)
    except OSError as error:
        wrong = f"the folder of keys cannot be read: {error.strerror or error}"
        raise SettingsFault(
            [Problem(str(folder), None, "", wrong, "name a folder that is there and may be read")]
        ) from None
    if len(files) > MAX_FILES:
        raise SettingsFault(
            [Problem(str(folder), None, "", "there are too many files", f"allowed: {MAX_FILES}")]
        )
    problems: list[Problem] = []
    keys: dict[str, Key] = {}
    for file in files:
        key, wrong_here = read_key_file(file, env=env)
        problems += wrong_here
        if key is not None and keys.setdefault(key.id, key) is not key:
            problems.append(
                Problem(str(file), None, "id", f"another file has the key {key.id}", "give it another id")
            )
    if problems:
        raise SettingsFault(problems)
    return KeyRing(keys.values())


def revoked_in(folder: Path, *, env: Mapping[str, str] | None = None) -> frozenset[str]:
    """The ids of keys that a file without a mistake revokes, whatever is wrong with others. It blocks."""
    try:
        files = key_files(folder)[:MAX_FILES]
    except OSError:
        return frozenset()
    keys = [read_key_file(file, env=env)[0] for file in files]
    return frozenset(key.id for key in keys if key is not None and key.state is KeyState.REVOKED)


def read_key_file(file: Path, *, env: Mapping[str, str] | None = None) -> tuple[Key | None, list[Problem]]:
    """The key, None when anything is wrong with it; and what is. It blocks."""
    name = str(file)
    environment = os.environ if env is None else env  # noqa: TID251  # settings come from here
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is no regular file")
        with file.open("rb") as opened:
            document = parse(name, opened.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        wrong = f"the file cannot be read: {error.strerror or error}"
        return None, [Problem(name, None, "", wrong, "change its owner or mode, or take it away")]
    except SettingsFault as fault:
        return None, list(fault.problems)
    problems = list(_exposed(document, mode))
    table, missing = _with_secret(document, environment)
    problems += missing
    written = read_table(document, table, KEY, env={})
    problems += written.problems
    problems += [
        document.problem((), f"the key has no {needed}", f"write {needed} = {example}")
        for needed, example in KEY.required.items()
        if needed not in table
    ]
    key = KEY.build(written.values)
    problems += _contradictions(document, table, key)
    if problems:
        return None, sorted(problems, key=lambda problem: problem.line or 0)
    material = written.values[_MATERIAL[key.algorithm]]
    assert isinstance(material, bytes), material
    return replace(key, material=material), []


def _exposed(document: Document, mode: int) -> Iterator[Problem]:
    if mode & stat.S_IWOTH:
        yield Problem(document.file, None, "", "everybody can write this file", f"chmod o-w {document.file}")
    if mode & stat.S_IROTH and isinstance(document.table.get("secret"), str):
        yield document.problem(("secret",), "everybody can read this secret", f"chmod o-r {document.file}")


def _with_secret(document: Document, env: Mapping[str, str]) -> tuple[Mapping[str, object], list[Problem]]:
    """The table with { env = "NAME" } replaced."""
    said = document.table.get("secret")
    if not isinstance(said, dict) or said.keys() != {"env"}:
        return document.table, []
    name = said["env"]
    if isinstance(name, str) and name in env:
        return {**document.table, "secret": env[name]}, []
    missing = document.problem(
        ("secret",), f"the environment has no {shown(name)}", "set it before the start"
    )
    return {each: value for each, value in document.table.items() if each != "secret"}, [missing]


def _contradictions(document: Document, table: Mapping[str, object], key: Key) -> Iterator[Problem]:
    if "algorithm" in table:
        needed = _MATERIAL[key.algorithm]
        if needed not in document.table:
            yield document.problem(
                (), f"a key for {key.algorithm.value} has no {needed}", f'write {needed} = "..."'
            )
        for other in sorted({*_MATERIAL.values()} - {needed}):
            if other in document.table:
                wrong = f"a key for {key.algorithm.value} has no {other}"
                yield document.problem((other,), wrong, f"leave it out, and write {needed}")
    if key.scope.may_purge_everything and key.scope.sites is not None:
        wrong = "everything is more than the sites that this key is for"
        yield document.problem(("may_purge_everything",), wrong, 'leave it out, or write sites = "*"')
    if key.not_before is not None and key.not_after is not None and key.not_before > key.not_after:
        yield document.problem(
            ("not_after",), "it is before not_before", "the key would never be valid; swap them"
        )


def written(key: Key) -> str:
    """The text of a key's file: what `read_key_file` reads as this key."""
    values: dict[str, object] = {
        "id": key.id,
        "algorithm": key.algorithm,
        _MATERIAL[key.algorithm]: key.material,
        "state": key.state,
        "not_before": key.not_before,
        "not_after": key.not_after,
        "sites": key.scope.sites,
        "kinds": key.scope.kinds,
        "may_purge_everything": key.scope.may_purge_everything,
        "comment": key.comment or None,
    }
    return "".join(
        f"{name} = {KEY.settings[name].kind.write(value)}\n"
        for name, value in values.items()
        if value is not None or name == "sites"
    )
