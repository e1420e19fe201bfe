"""`perigee warm`: a node is filled before clients come.

Owns: where the URLs come from, the place to go on from, progress, the summary. Exit codes: 0 all was asked for, or as much as
the budget allows; 1 where nothing was answered, or (as EdgeError) there is nothing to warm with.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console

from edge.errors import ConfigFault, EdgeError
from edge.settings.units import parse_size
from tools.explain import line_of
from tools.purge_client import PurgeClient
from tools.replay import address_of
from tools.replaying.access_lines import read
from tools.warming.filling import Budget, Filled, fill
from tools.warming.sitemap import by_http, fetch_all
from tools.warming.wanted import Wanted, Wishes, from_hot, from_list, from_log, once, read_url

SHOWN_EVERY_SECONDS = 1.0
MAX_RATE = 100_000.0
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(/s|/m)?")


@dataclass(frozen=True, slots=True)
class Warm:
    """What was asked for; one of url_list, sitemap, log and peer. state: the file to go on from, None = from the start."""

    to: str
    url_list: Path | None = None
    sitemap: str | None = None
    log: Path | None = None
    peer: str | None = None
    limit: int = 1_000
    host: str = ""
    header: tuple[str, ...] = ()
    state: Path | None = None


def budget_of(rate: str, nbytes: str | None, concurrency: int) -> Budget:
    """As written: `100/s`, `30/m` or `100`; `1GiB`. ConfigFault."""
    said = _RATE.fullmatch(rate)
    per_second = 0.0 if said is None else float(said[1]) / (60 if said[2] == "/m" else 1)
    if not 0 < per_second <= MAX_RATE:
        raise ConfigFault(f"--rate: {rate!r} is no rate; write 100/s or 30/m")
    size = None if nbytes is None else parse_size(nbytes)
    if nbytes is not None and not size:
        raise ConfigFault(f"--bytes: {nbytes!r} is no size; write 500MiB or 1GiB")
    return Budget(per_second, size, concurrency)


def run(asked: Warm, budget: Budget, *, to_json: bool) -> int:
    """Fill it and print what came of it. Raises EdgeError."""
    node = address_of(asked.to, "--to")
    fields = {name.decode(): value.decode("utf-8") for name, value in map(line_of, asked.header)}
    wishes = asyncio.run(_wishes(asked))
    if not wishes.wanted:
        raise EdgeError(f"there is nothing to warm with ({wishes.left_out} left out)")
    place = _Place(asked.state, wishes.wanted)
    progress = _Progress(place, quiet=to_json)
    begin = place.read()
    filled = asyncio.run(fill(node, wishes.wanted, budget, begin=begin, fields=fields, shown=progress.show))
    place.write(filled)
    said = _said(filled, wishes, begin)
    if to_json:
        print(json.dumps(said))
    else:
        _print(said)
    return 0 if filled.statuses or begin == filled.total else 1


async def _wishes(asked: Warm) -> Wishes:
    if asked.url_list is not None:
        return from_list(asked.url_list, asked.host)
    if asked.log is not None:
        return from_log(read(asked.log).lines, asked.host)
    if asked.sitemap is not None:
        if not asked.sitemap.startswith(("http://", "https://")):
            raise ConfigFault(
                f"--sitemap: {asked.sitemap!r} is no URL; write http://HOST/sitemap.xml (for a file of URLs: --url-list)"
            )
        return once(read_url(url) for url in await fetch_all(asked.sitemap, by_http))
    assert asked.peer is not None, "nothing to warm with"
    async with PurgeClient(address_of(asked.peer, "--from")) as client:
        return from_hot(await client.get(f"/hot?limit={asked.limit}"))


class _Place:
    """How far a list was done, in a file; a list that has changed begins anew."""

    def __init__(self, file: Path | None, wanted: tuple[Wanted, ...]) -> None:
        self._file = file
        self._digest = sha256(json.dumps([asdict(each) for each in wanted]).encode()).hexdigest()
        self._total = len(wanted)

    def read(self) -> int:
        """0 = from the start. ConfigFault where the file is none of ours."""
        if self._file is None or not self._file.exists():
            return 0
        try:
            said = json.loads(self._file.read_text(encoding="utf-8"))
            digest, done = said["digest"], said["done"]
            is_ours = isinstance(digest, str) and isinstance(done, int)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigFault(f"--state: {self._file} is no state of a warming: {error!r}") from None
        if not is_ours:
            raise ConfigFault(f"--state: {self._file} is no state of a warming")
        return min(max(done, 0), self._total) if digest == self._digest else 0

    def write(self, filled: Filled) -> None:
        """Raises EdgeError."""
        if self._file is None:
            return
        beside = self._file.with_name(self._file.name + ".new")
        try:
            beside.write_text(json.dumps({"digest": self._digest, "done": filled.done}), encoding="utf-8")
            beside.replace(self._file)
        except OSError as error:
            raise EdgeError(f"--state: {error}") from None


class _Progress:
    """A line a second, where somebody watches; and the place is written as often."""

    def __init__(self, place: _Place, *, quiet: bool, mono: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet)
        self._place = place
        self._mono = mono
        self._next = mono() + SHOWN_EVERY_SECONDS

    def show(self, filled: Filled) -> None:
        """It has got so far."""
        if self._mono() < self._next:
            return
        self._next = self._mono() + SHOWN_EVERY_SECONDS
        self._place.write(filled)
        if self._console.is_terminal:
            megabytes = filled.nbytes / 1e6
            self._console.print(f"{filled.done} of {filled.total}, {megabytes:.0f} MB", end="\r")


def _said(filled: Filled, wishes: Wishes, begin: int) -> dict[str, Any]:
    return {
        "wanted": filled.total,
        "left_out": wishes.left_out,
        "begun_at": begin,
        "done": filled.done,
        "stored": filled.stored,
        "hits": filled.hits,
        "statuses": {str(status): count for status, count in sorted(filled.statuses.items())},
        "failures": dict(filled.failures),
        "bytes": filled.nbytes,
        "seconds": round(filled.seconds, 3),
    }


def _print(said: dict[str, Any]) -> None:
    print(
        f"{said['done']} of {said['wanted']} URLs asked for in {said['seconds']:.1f} s, {said['bytes']} body bytes: "
        f"{said['stored']} stored now, {said['hits']} were there"
    )
    if said["begun_at"]:
        print(f"{said['begun_at']} of them were done before")
    if said["done"] < said["wanted"]:
        print(f"{said['wanted'] - said['done']} left: the bytes are used up")
    if said["left_out"]:
        print(f"{said['left_out']} left out: no URLs")
    print("statuses: " + ", ".join(f"{status}: {count}" for status, count in said["statuses"].items()))
    for why, count in said["failures"].items():
        print(f"{count} failed: {why}")
