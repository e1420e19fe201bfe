"""What a soak claims, and who keeps count of whether it is true. PURE (`now`: monotonic seconds).

Owns: `Checker`. It knows when a purge was acknowledged and by which nodes, and says which version a request that *starts*
now must see at least. Two claims:
1. a node that a receipt names as having applied a purge never again answers with anything older than what the origin had
   when that purge was sent: not after a refill, a restart, a crash;
2. no node does so later than `lease` seconds after the log took the purge, whether it was heard of or not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tools.soaking.pages import Page

MAX_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is about to be sent. least: the version that its answer must have at least."""

    node: str
    page: Page
    least: int
    at: float


@dataclass(frozen=True, slots=True)
class Stale:
    """An answer that should not have been. cache_status: what the node said of it."""

    asked: Asked
    version: int
    at: float
    cache_status: str

    def __str__(self) -> str:
        asked = self.asked
        return (
            f"{asked.node} {asked.page.url} {asked.page.language} asked at {asked.at:.3f} has v{self.version}, "
            f"v{asked.least} was due; {self.cache_status}"
        )


@dataclass(slots=True)
class Counts:
    """What came of requests. damaged: bodies that the origin never sent. failed: no answer, or another status than 200."""

    reads: int = 0
    failed: int = 0
    damaged: int = 0
    stale: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


class Checker:
    """See the module. lease: seconds."""

    def __init__(self, lease: float) -> None:
        self.counts = Counts()
        self.examples: list[Stale] = []
        self.damaged: list[str] = []
        """What some damaged bodies begin with."""
        self.acknowledged: dict[str, int] = {}
        """Purges that the log is known to have: id to sequence number."""
        self.taken = 0
        self._lease = lease
        self._at_node: dict[tuple[str, Page], int] = {}
        self._everywhere: dict[Page, int] = {}
        self._due: deque[tuple[float, Mapping[Page, int]]] = deque()

    # -- purges --

    def accepted(self, order_id: str, seq: int, versions: Mapping[Page, int], now: float) -> None:
        """The log has it. versions: of what the origin had before it was sent."""
        known = self.acknowledged.setdefault(order_id, seq)
        assert known == seq, f"{order_id} is acknowledged at {seq}, and was at {known}"
        self.taken += 1
        self._due.append((now + self._lease, versions))

    def applied(self, nodes: Iterable[str], versions: Mapping[Page, int]) -> None:
        """A receipt names these nodes."""
        for node in nodes:
            for page, version in versions.items():
                key = (node, page)
                self._at_node[key] = max(self._at_node.get(key, 0), version)

    # -- requests --

    def asking(self, node: str, page: Page, now: float) -> Asked:
        """A request goes out now."""
        while self._due and self._due[0][0] <= now:
            for each, version in self._due.popleft()[1].items():
                self._everywhere[each] = max(self._everywhere.get(each, 0), version)
        return Asked(node, page, max(self._at_node.get((node, page), 0), self._everywhere.get(page, 0)), now)

    def answered(
        self, asked: Asked, version: int | None, now: float, cache_status: str = "", body: bytes = b""
    ) -> None:
        """A 200 came. version: None = its body is damaged. body: how it begins, for people."""
        self.counts.reads += 1
        if version is None:
            self.counts.damaged += 1
            if len(self.damaged) < MAX_EXAMPLES:
                self.damaged.append(f"{asked.node} {asked.page}: {body[:60]!r}; {cache_status}")
        elif version < asked.least:
            self.counts.stale += 1
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append(Stale(asked, version, now, cache_status))

    def failed(self, why: str) -> None:
        """Anything else came, or nothing."""
        self.counts.failed += 1
        self.counts.statuses[why] += 1

    # -- at the end --

    def lost(self, in_log: Mapping[str, int]) -> list[str]:
        """Acknowledged purges that the log does not have where it said. in_log: id to sequence number."""
        return sorted(order for order, seq in self.acknowledged.items() if in_log.get(order) != seq)
