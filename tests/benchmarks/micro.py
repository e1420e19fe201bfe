"""The dozen small things that requests are made of, each as a function that does it a number of times."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.semantics.decide import decide_reuse
from edge.semantics.directives import response_directives
from edge.semantics.forwarding import cleaned_request
from edge.semantics.key import matches, nominate, primary_key
from edge.semantics.message import Fields, UnixSeconds
from edge.semantics.rules import VaryRules
from edge.semantics.status import hit_member
from edge.semantics.structured import parse_dictionary
from edge.store.codec import decode, encode
from edge.store.eviction import Resident, S3Fifo, Sieve
from edge.store.memory import MemoryTier
from edge.wire.fields import sort_lines
from edge.wire.grammar import read_lines
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.render import response_head as rendered
from edge.wire.request import parse_request_head
from edge.wire.response import parse_response_head
from tests.benchmarks import scene
from tools.benching.origin import head as origin_head

NOW = 1_795_502_400.0


@dataclass(frozen=True, slots=True)
class Benchmark:
    """once: does it one time. The number of calls a round has."""

    name: str
    once: Callable[[], object]
    calls: int = 2_000


def calibration() -> int:
    """Plain Python of the kind that requests are made of: dictionaries, bytes, calls."""
    table: dict[bytes, int] = {}
    for number in range(100):
        name = b"%d" % (number % 17)
        table[name.lower()] = table.get(name, 0) + len(name)
    return sum(table.values())


def benchmarks() -> Iterator[Benchmark]:
    """Those that need no event loop."""
    head = scene.request_head()
    stored = scene.stored_response(NOW)
    record = encode(stored)
    section = scene.REQUEST.partition(b"\r\n")[2]
    strangers = itertools.cycle(
        scene.REQUEST.replace(b"theme=dark", b"theme=%d" % number) for number in range(2_000)
    )
    origin = origin_head(1024, int(NOW))
    vary = VaryRules()
    nominated = nominate((b"Accept-Encoding, Accept-Language",), head, vary)
    assert nominated is not None
    control = Fields(((b"CDN-Cache-Control", b"max-age=60, stale-if-error=600"),))
    yield Benchmark(
        "parse a request head seen before", lambda: parse_request_head(scene.REQUEST, DEFAULT_LIMITS)
    )
    yield Benchmark(
        "parse a request head never seen before", lambda: parse_request_head(next(strangers), DEFAULT_LIMITS)
    )
    yield Benchmark("split a field section", lambda: sort_lines(read_lines(section, 0) or []))
    yield Benchmark("parse a response head", lambda: parse_response_head(origin, b"GET", DEFAULT_LIMITS))
    yield Benchmark("clean a request", lambda: cleaned_request(head, scene.RULES))
    yield Benchmark("make a key", lambda: primary_key(head.authority, head.target, scene.RULES.key))
    yield Benchmark("match a variant", lambda: matches(nominated, head, vary))
    yield Benchmark(
        "decide on reuse", lambda: decide_reuse(head, (stored,), scene.RULES, UnixSeconds(NOW + 1))
    )
    yield Benchmark("decide on a fill", lambda: scene.stored_response(NOW), 200)
    yield Benchmark("read targeted directives", lambda: response_directives(control))
    yield Benchmark("parse a structured dictionary", lambda: parse_dictionary(b"max-age=60, a;b=1, c=?0"))
    yield Benchmark("render a response head", lambda: rendered(200, b"", stored.head.fields.lines, None))
    yield Benchmark("render Cache-Status", lambda: hit_member(b"edge-1", 59.5))
    yield Benchmark("encode a stored response", lambda: encode(stored))
    yield Benchmark("decode a stored response", lambda: decode(record))
    yield from evictions()


def evictions() -> Iterator[Benchmark]:
    """A newcomer into a full queue."""
    for policy in (Sieve(), S3Fifo(1 << 20)):
        for number in range(1_000):
            resident = Resident(b"%032d" % number, 1_000)
            policy.place(resident)
            policy.admit(resident)
        numbers = itertools.count(1_000)

        def admit(policy: Sieve | S3Fifo = policy, numbers: Iterator[int] = numbers) -> None:
            newcomer = Resident(b"%032d" % next(numbers), 1_000)
            policy.place(newcomer)
            policy.victim(newcomer)
            policy.admit(newcomer)

        yield Benchmark(f"admit and evict: {type(policy).__name__}", admit)
    tier: MemoryTier[int] = MemoryTier(1 << 20)
    names = itertools.count()
    yield Benchmark(
        "put into a full memory tier", lambda: tier.put(b"%032d" % next(names), (), 0, b"", 1_024)
    )
