"""The eviction measurement: its yardsticks are what they are called, and the product's policy earns its choice."""

import gzip
from itertools import islice

import pytest

from tools.eviction_bench import CONTENDERS, Trace, from_log, loop, measure, replay, zipf_with_scans

LRU, LFU, SIEVE, S3_FIFO = CONTENDERS


def trace(requests: str) -> Trace:
    """One letter a request; every object is 10 bytes."""
    names = tuple(letter.encode() for letter in requests)
    return Trace("by hand", names, dict.fromkeys(names, 10))


@pytest.mark.parametrize(
    ("contender", "requests", "hits"),
    [
        (LRU, "abcdefghij" * 2, 10),
        (LRU, "abcdefghijk" * 2, 0),
        (LRU, "abcdefghijakab", 2),
        (LFU, "aabbccddeeffgghhiijjklabcdefghi", 18),
        (LFU, "abcdefghijbcdefghijka", 9),
    ],
)
def test_the_yardsticks_hit_what_their_names_say(contender, requests, hits):
    ratios = replay(contender, trace(requests), capacity=100)
    assert ratios.objects == ratios.bytes == pytest.approx(hits / len(requests))


def test_bytes_are_weighed_by_the_size_of_what_was_hit():
    ratios = replay(LRU, Trace("", (b"a", b"b", b"a"), {b"a": 30, b"b": 10}), capacity=1_000)
    assert ratios.objects == pytest.approx(1 / 3)
    assert ratios.bytes == pytest.approx(3 / 7)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_nobody_admits_what_is_larger_than_a_tenth_of_the_cache(contender):
    assert replay(contender, Trace("", (b"a", b"a"), {b"a": 11}), capacity=109).objects == 0


LOG = b"""\
192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 900 "-" "Mozilla"
192.0.2.1 - - [17/May/2015:10:05:04 +0000] "POST /a HTTP/1.1" 200 5 "-" "Mozilla"
192.0.2.1 - - [17/May/2015:10:05:05 +0000] "GET /a HTTP/1.1" 304 - "-" "Mozilla"
192.0.2.1 - - [17/May/2015:10:05:06 +0000] "GET /b HTTP/1.0" 404 12 "-" "Mozilla"
192.0.2.1 - - [17/May/2015:10:05:07 +0000] "GET /c\xff HTTP/1.0" 304 - "-" "Mozilla"
"""


@pytest.mark.parametrize("name", ["access.log", "access.log.gz"])
def test_a_log_gives_its_cacheable_requests_and_the_largest_size_of_each(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(LOG) if name.endswith(".gz") else LOG)
    trace = from_log(path)
    first, last = b"/a", "/c\N{REPLACEMENT CHARACTER}".encode()
    assert trace.requests == (first, first, last)
    assert trace.sizes == {first: 900, last: 200}


def head(trace: Trace, count: int) -> Trace:
    return Trace(trace.name, tuple(islice(trace.requests, count)), trace.sizes)


@pytest.mark.slow
@pytest.mark.parametrize("made", [zipf_with_scans, loop])
def test_s3fifo_beats_lru_by_object_and_by_byte_where_scans_run(made):
    for _, share, (lru, s3fifo) in measure([head(made(), 24_000)], (LRU, S3_FIFO)):
        assert s3fifo.objects > lru.objects, share
        assert s3fifo.bytes > lru.bytes, share
