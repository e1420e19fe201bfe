"""The house's rules that no linter knows: sizes, pairing of source and test, purity, openings, no addresses."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("edge", "origin_shield", "tools", "tests")

FILE_LINES = 400
FUNCTION_LINES = 50

LONG_FILES: frozenset[str] = frozenset()
"""Exempt from FILE_LINES. It only shrinks."""

LONG_FUNCTIONS: frozenset[str] = frozenset()
"""`path:function`, exempt from FUNCTION_LINES. It only shrinks."""

UNPAIRED: frozenset[str] = frozenset(
    {
        "edge/fill/order.py",  # declarations only
        "edge/fill/upstream.py",  # declarations only
        "edge/semantics/decisions.py",  # declarations only
        "edge/semantics/reasons.py",  # declarations only
        "edge/semantics/rules.py",  # declarations only
        "edge/wire/framing.py",  # declarations only
        "edge/wire/limits.py",  # declarations only
    }
)
"""Source files without a test file of their own. It only shrinks: a file that has one may not stand here."""

IMPURE = frozenset(
    [
        "aiohttp",
        "asyncio",
        "diskcache",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "selectors",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "uvloop",
    ]
)


@cache
def tracked() -> tuple[str, ...]:
    """What git knows, and what it would add: files of the checkout, not of builds."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted({name for name in listed if (ROOT / name).is_file()}))


def sources(*rooms: str) -> list[str]:
    return [name for name in tracked() if name.endswith(".py") and name.split("/")[0] in rooms]


@cache
def parsed(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def functions(name: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parsed(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_file_is_longer_than_its_budget():
    lines = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in sources(*ROOMS)}
    too_long = {name for name, count in lines.items() if count > FILE_LINES}
    assert too_long - LONG_FILES == set(), "split them: a file has one subject"
    assert LONG_FILES - too_long == set(), "short enough now: take them off the list"


def test_no_function_is_longer_than_its_budget():
    too_long = {
        where for name in sources(*ROOMS) for where, count in functions(name) if count > FUNCTION_LINES
    }
    assert too_long - LONG_FUNCTIONS == set(), "split them: a function does one thing"
    assert LONG_FUNCTIONS - too_long == set(), "short enough now: take them off the list"


def own_test(name: str) -> str:
    """edge/fill/table.py -> tests/fill/test_table.py; the other two packages keep their own name."""
    path = Path(name)
    folders = path.parts[1:-1] if path.parts[0] == "edge" else path.parts[:-1]
    return str(Path("tests", *folders, f"test_{path.name}"))


def test_every_source_file_has_a_test_file_of_its_own():
    written = [
        name
        for name in sources("edge", "origin_shield", "tools")
        if not name.endswith(("__init__.py", "__main__.py"))
    ]
    alone = {name for name in written if own_test(name) not in tracked()}
    assert alone - UNPAIRED == set(), "write " + ", ".join(
        own_test(name) for name in sorted(alone - UNPAIRED)
    )
    assert UNPAIRED - alone == set(), "they have a test now (or are gone): take them off the list"


def imported(name: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(parsed(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.split(".")[0])
    return found


def is_pure(name: str) -> bool:
    opening = ast.get_docstring(parsed(name)) or ""
    return bool(re.search(r"\bPURE\b", opening)) or name.startswith(("edge/semantics/", "edge/wire/"))


def test_pure_files_import_nothing_that_reads_or_changes_the_world():
    reached = {name: imported(name) & IMPURE for name in sources("edge", "origin_shield") if is_pure(name)}
    assert {name: modules for name, modules in reached.items() if modules} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_opens_by_saying_what_it_owns(room: str):
    silent = [name for name in sources(room) if not ast.get_docstring(parsed(name))]
    assert silent == []


NO_NAMES = frozenset({"utils.py", "util.py", "helpers.py", "common.py", "misc.py", "manager.py"})


def test_no_file_has_a_name_that_says_nothing():
    assert [name for name in sources(*ROOMS) if Path(name).name in NO_NAMES] == []


def test_the_lock_names_versions_and_no_registry():
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9][^ ]*( ; .+)?", line), line
