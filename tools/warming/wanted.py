"""What a node is to be filled with: from a list of URLs, an access log, or a peer's hot set.

Owns: `Wanted`, `read_url`, `from_list`, `from_log`, `from_hot`. Rules: each is wanted once, in the order in which it matters;
what is no http(s) URL is left out and counted, never guessed at; there are `MAX_URLS` of them at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ConfigFault
from edge.semantics.selectors import BadSelector, read_uri
from tools.replaying.access_lines import Line

MAX_URLS = 1_000_000
MAX_LINE_BYTES = 16 * 1024
_WORTH = frozenset({200, 203, 206, 300, 301, 304, 308})
"""Statuses of a log's responses that say that there is something to have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request. host: as in Host, "" = the node's own. is_secure: clients come to it by https."""

    host: str
    target: str
    is_secure: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """wanted: in order, each once. left_out: lines that were none."""

    wanted: tuple[Wanted, ...]
    left_out: int = 0


def once(found: Iterable[Wanted | None], limit: int = MAX_URLS) -> Wishes:
    """Each once, the first place counts. None: one that was left out. ConfigFault where there are more than `limit`."""
    wanted: dict[Wanted, None] = {}
    left_out = 0
    for one in found:
        if one is None:
            left_out += 1
            continue
        wanted[one] = None
        if len(wanted) > limit:
            raise ConfigFault(f"there are more than {limit} URLs; warm with fewer")
    return Wishes(tuple(wanted), left_out)


def read_url(text: str, host: str = "") -> Wanted | None:
    """From an absolute URL, or a path of `host`. None = neither."""
    is_path = text.startswith("/") and not text.startswith("//")
    try:
        uri = read_uri(f"http://path{text}" if is_path else text)
    except BadSelector:
        return None
    if is_path:
        return Wanted(host, uri.target.decode("ascii"))
    authority = uri.authority
    return Wanted(
        authority.render().decode("ascii"), uri.target.decode("ascii"), authority.scheme == b"https"
    )


def from_list(file: Path, host: str) -> Wishes:
    """A line each; empty ones and those that begin with # are passed over. host: of lines that are paths. ConfigFault."""
    try:
        with file.open("rb") as opened:
            return once(_listed(opened, host))
    except OSError as error:
        raise ConfigFault(f"{file}: {error}") from None


def _listed(lines: Iterable[bytes], host: str) -> Iterable[Wanted | None]:
    for line in lines:
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        is_url = len(text) <= MAX_LINE_BYTES and text.isascii()
        yield read_url(text.decode("ascii"), host) if is_url else None


def from_log(lines: Sequence[Line], host: str) -> Wishes:
    """What was asked for by GET and found, the most frequent first; of equals what was asked for last."""
    counts: Counter[str] = Counter()
    last: dict[str, int] = {}
    for line in lines:
        if line.method == "GET" and line.status in _WORTH:
            counts[line.target] += 1
            last[line.target] = line.at
    ranked = sorted(counts, key=lambda target: (-counts[target], -last[target]))
    return once(read_url(target, host) for target in ranked)


def from_hot(said: Mapping[str, Any]) -> Wishes:
    """What a node says at /hot. ConfigFault where that is no hot set."""
    urls = said.get("urls")
    if not isinstance(urls, list):
        raise ConfigFault("--from: that is no hot set; name a node's admin address")
    return once(
        read_url(url) if isinstance(each, dict) and isinstance(url := each.get("url"), str) else None
        for each in urls
    )
