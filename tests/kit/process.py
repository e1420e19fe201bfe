"""What the kernel says of a process."""

from pathlib import Path


def open_files(pid: int) -> int:
    """Its file descriptors."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


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
