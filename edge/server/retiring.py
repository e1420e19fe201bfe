"""How a worker leaves while the others go on, so that nobody notices.

Owns: `retire`. The order of it, and why:
1. Clients are told at their next answer that their connection ends. One that is closed while it is idle may just be asking
   again, and would find a broken connection; so those that are left get KEPT_SECONDS to ask once more.
2. No more connections: who waits in the backlog is taken first. What is under way ends, or is cut when `seconds` are over.
3. Only then the other workers have to do without: its socket is taken away, so that they go to the origin instead, and what
   comes to them through this one gets `seconds` of its own. One that asks on a connection that ends just now asks again,
   for what is safe; what is not always comes on a connection of its own (edge.fill.pool), whose first request is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from edge.server.listener import Listener

KEPT_SECONDS = 5.0
"""For idle connections; no more than half of `node.drain`."""


def longest(seconds: float) -> float:
    """Seconds that `retire` takes at most."""
    return min(KEPT_SECONDS, seconds / 2) + 2 * seconds


async def retire(public: Sequence[Listener], peers: Listener, peers_at: Path, seconds: float) -> int:
    """See the module. peers_at: the socket of `peers`. Returns how many connections were cut."""
    kept = min(KEPT_SECONDS, seconds / 2)
    await asyncio.gather(*(listener.turn_away(kept) for listener in public))
    cut = sum(await asyncio.gather(*(listener.drain(seconds) for listener in public)))
    await asyncio.to_thread(peers_at.unlink, missing_ok=True)
    return cut + await peers.drain(seconds)
