"""What is the same for every hit of a stored response, rendered once and kept beside it (`Held.ready`).

Owns: `Ready` and `ReadyHead`. What they occupy is charged to the memory tier to the byte that they say themselves: `size`.
"""

from __future__ import annotations

import re
from typing import Any

from edge.exchange import Verdict
from edge.semantics.rules import SiteRules
from edge.semantics.status import hit_member
from edge.semantics.stored import StoredResponse

_PLAIN_TAG = re.compile(rb'(?:W/)?"[!#-~\x80-\xff]*"')
READY_HEAD_BYTES = 284
"""What a ready head occupies beyond its fields: its objects and numbers, Age and Cache-Status."""
READY_BYTES = 160
"""What `Ready` occupies beyond its heads."""


class ReadyHead:
    """A rendered head without Age, Cache-Status and the empty line, and the last whole one that was made of it.

    whole: that one; it holds for ages from `since` to before `until`, in seconds. counted: where answers with it are
    counted (edge.server.access_log), None = nobody looked that up yet.
    """

    __slots__ = ("_start", "counted", "since", "size", "status", "until", "verdict", "whole")

    def __init__(self, start: bytes, status: int, verdict: Verdict) -> None:
        self.size = len(start) + READY_HEAD_BYTES
        self.status = status
        self.verdict = verdict
        self.counted: Any = None
        self._start = len(start)
        self.whole = start
        self.since = self.until = 0.0

    def at(self, age: float, lifetime: float, node: bytes) -> bytes:
        """The head of a hit at that age. Age is whole seconds, and ttl counts from it: one head holds for a second."""
        if not self.since <= age < self.until:
            whole = int(age)
            start = self.whole[: self._start]
            self.whole = b"%bAge: %d\r\nCache-Status: %b\r\n" % (
                start,
                whole,
                hit_member(node, lifetime - whole),
            )
            self.since, self.until = float(whole), whole + 1.0
        return self.whole


class Ready:
    """What is kept beside a stored response in memory, by the rules it was made by. unchanged: the head of a 304.

    tag: its entity tag, where an If-None-Match of just these bytes is met by it.
    """

    __slots__ = ("head", "rules", "size", "tag", "unchanged")

    def __init__(self, rules: SiteRules, stored: StoredResponse, head: ReadyHead) -> None:
        self.size = READY_BYTES + head.size
        self.rules = rules
        self.head = head
        self.unchanged: ReadyHead | None = None
        tag = stored.validators.etag
        is_plain = tag is not None and stored.head.status == 200 and _PLAIN_TAG.fullmatch(tag) is not None
        self.tag = tag if is_plain else None
