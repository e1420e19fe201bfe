"""Bodies that tell whose they are: a wrong, mixed up or misplaced byte cannot look right."""

import hashlib
from functools import lru_cache


@lru_cache(maxsize=32)
def body_of(target: str, version: int, length: int) -> bytes:
    """The body of a version of a resource: these three determine every byte of it."""
    return hashlib.shake_128(f"{target} {version}".encode()).digest(length)
