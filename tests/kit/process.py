"""What the kernel says of a process."""

from contextlib import suppress
from pathlib import Path


def descriptors() -> list[str]:
    """Where each file descriptor of this process leads: a path, or a word such as socket:[1234]."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that reads the directory
            found.append(str(descriptor.readlink()))
    return found


def children(pid: int) -> list[int]:
    """Its child processes, oldest first."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def command(pid: int) -> list[str]:
    """Its command line; [] when it is gone."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.decode("utf-8", "surrogateescape").split("\0")[:-1]
