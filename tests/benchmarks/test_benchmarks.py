"""Every benchmark still does what it is called; how long it takes is nobody's business here."""

from __future__ import annotations

import pytest

from tests.benchmarks.micro import Benchmark, benchmarks, calibration
from tests.benchmarks.scene import BODY, CONDITIONAL, Scene


@pytest.mark.parametrize("benchmark", tuple(benchmarks()), ids=lambda each: each.name)
def test_it_runs(benchmark: Benchmark):
    benchmark.once()
    assert benchmark.calls > 0


def test_the_yardstick_always_does_the_same():
    assert calibration() == calibration()


async def test_whole_requests_are_what_they_are_called():
    scene = Scene()
    try:
        scene.hit()
        whole = scene.transport.last
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
        assert whole.endswith(BODY)
        assert b"Cache-Status: bench;hit" in whole
        scene.hit(CONDITIONAL)
        assert scene.transport.last.startswith(b"HTTP/1.1 304 ")
        await scene.miss("/1k/once/1")
        assert b";fwd=uri-miss;fwd-status=200;" in scene.transport.last
        assert b";stored;" in scene.transport.last
    finally:
        await scene.aclose()
