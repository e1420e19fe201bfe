"""The budget of a request: the shares of a profile, multiplied with the true cost."""

from __future__ import annotations

import cProfile
import pstats

from tools.benching.profiling import costs


def cheap() -> int:
    return 1


def dear() -> int:
    return sum(cheap() for _ in range(2_000))


def test_shares_are_scaled_and_the_dearest_comes_first():
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(5):
        dear()
    profile.disable()
    stats = pstats.Stats(profile)
    plain = costs(stats, requests=5, scale=1.0)
    halved = costs(stats, requests=5, scale=0.5)
    assert [cost.own for cost in plain] == sorted((cost.own for cost in plain), reverse=True)
    (one,) = (cost for cost in plain if cost.name.endswith(" cheap"))
    (half,) = (cost for cost in halved if cost.name.endswith(" cheap"))
    assert one.calls == 2_000
    assert half.own * 2 == one.own
    assert one.name.startswith("tests/tools/benching/test_profiling.py:"), "no path of this machine"
