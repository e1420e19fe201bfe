"""One Perigee per data folder, and a folder for what its processes share.

Owns: `claim`. Rules: the supervisor holds a lock on the data folder as long as it lives (the kernel drops it with the
process); the sockets' folder is for this user only, is emptied at each start, and has a short path: a unix socket's may
be about 100 bytes long, and a data folder's is the operator's to choose.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from edge.errors import EdgeError

MAX_FOLDER_BYTES = 80
"""sun_path has 104 bytes on BSD and macOS, 108 on Linux; the names below take up to 20."""

IN_USE_SECONDS = 2.0
"""How long the lock may be held by a process that is just ending."""

_LOOK_AGAIN_SECONDS = 0.05


@asynccontextmanager
async def claim(data_dir: Path, *, patience: float = IN_USE_SECONDS) -> AsyncIterator[Path]:
    """Hold `data_dir`, and give an empty folder for sockets. EdgeError when another holds it for `patience` seconds."""
    lock = os.open(data_dir / "perigee.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _lock(lock, data_dir, patience)
        folder = folder_of(data_dir)
        _make(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


async def _lock(lock: int, data_dir: Path, patience: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        if loop.time() > deadline:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise EdgeError(
                f"{data_dir} is in use by another perigee (process {holder}); give this one a --data-dir of its own"
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def folder_of(data_dir: Path) -> Path:
    """Where the sockets of the node in `data_dir` are; always the same place, so that nothing piles up."""
    inside = data_dir.absolute() / "run"
    if len(os.fsencode(inside)) <= MAX_FOLDER_BYTES:
        return inside
    digest = hashlib.blake2b(os.fsencode(data_dir.resolve()), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"perigee-{os.getuid()}-{digest}"


def admin_socket_of(run_dir: Path, index: int) -> Path:
    """Where a worker tells about itself."""
    return run_dir / f"admin-{index}.sock"


def contents_of(run_dir: Path) -> Path:
    """What stood in the files that the settings in force come from (edge.server.command_line)."""
    return run_dir / "settings.json"


def write_kept(said: object, file: Path) -> None:
    """As JSON, for other processes of this user; whoever reads it sees the old whole or the new. Blocks. OSError."""
    beside = file.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        json.dump(said, opened)
    beside.replace(file)


def purge_socket_of(run_dir: Path) -> Path:
    """Where the supervisor takes what came to a worker as PURGE."""
    return run_dir / "purge.sock"


def tier_socket_of(run_dir: Path, index: int) -> Path:
    """Where a worker serves the other workers."""
    return run_dir / f"tier-{index}.sock"


def _make(folder: Path) -> None:
    """An empty folder that is ours: in a shared folder for temporary files, somebody else may have made it first."""
    with suppress(FileNotFoundError):
        if folder.lstat().st_uid != os.getuid():
            raise EdgeError(f"{folder} belongs to another user; remove it, or choose a shorter --data-dir")
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
