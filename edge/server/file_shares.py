"""What the descriptors of a worker are for. PURE.

Owns: `share_files`. Rule: clients can never take those of the next tier and of the store.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.wire.limits import Limits


@dataclass(frozen=True, slots=True)
class FileShares:
    """What a process's descriptors are for. connections: of clients. bodies: stored files being read."""

    connections: int
    bodies: int


def share_files(allowed: int, limits: Limits) -> FileShares:
    """Divide `allowed` descriptors so that clients can never take those of the next tier and the store.

    A quarter, at most 512, for bodies; `limits.reserved_files` for the next tier, the log and the rest.
    """
    bodies = max(8, min(512, allowed // 4))
    return FileShares(max(8, min(limits.connections, allowed - bodies - limits.reserved_files)), bodies)
