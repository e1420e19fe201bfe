"""The files of the demo origin: a folder that is laid out once, under the data directory.

Owns: which files there are. The small ones are copied from `demo_files`, text also compressed beside itself; the large
ones are made, since nobody wants them in a repository. All have one modification date, so that a validator survives a
restart and heuristic freshness (a tenth of a file's age) has something to go by.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

BUNDLED = Path(__file__).parent / "demo_files"

CHANGED = 1_793_491_200
"""2026-11-01T00:00:00Z, the modification date of every file; the validators are made of it, so it moves with them."""

MEBIBYTE = 1 << 20

LARGE: Mapping[str, int] = MappingProxyType({"5MB.bin": 5, "100MB.bin": 100})
"""Name to size in mebibytes."""

TEXT_SUFFIXES = frozenset({".html", ".css", ".js", ".json", ".svg", ".txt"})
"""Files that also exist compressed."""


def lay_out(folder: Path, large: Mapping[str, int] = LARGE) -> Path:
    """Make what is missing of the site in `folder`; the folder again. OSError where it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(BUNDLED.iterdir()):
        copy = folder / source.name
        shutil.copyfile(source, copy)
        _date(copy)
        if source.suffix in TEXT_SUFFIXES:
            packed = copy.with_name(f"{copy.name}.gz")
            packed.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
            _date(packed)
    for name, mebibytes in large.items():
        _make_large(folder / name, mebibytes)
    return folder


def _make_large(path: Path, mebibytes: int) -> None:
    if path.is_file() and path.stat().st_size == mebibytes * MEBIBYTE:
        return
    # The same bytes on every machine, no two mebibytes alike: a body put together wrongly has another digest.
    source = random.Random(mebibytes)
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as out:
        for _ in range(mebibytes):
            out.write(source.randbytes(MEBIBYTE))
    _date(unfinished)
    unfinished.replace(path)


def _date(path: Path) -> None:
    os.utime(path, (CHANGED, CHANGED))
