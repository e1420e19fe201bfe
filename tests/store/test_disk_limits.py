"""The limits of the disk tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.store.disk import NO_VARY, DiskTier
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_limits import DiskLimits
from tests.kit.disk import opened, primary, whole


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[DiskTier]:
    with opened(tmp_path) as tier:
        yield tier


def faulted(why: DiskFailure, doing: Callable[[], object]) -> None:
    with pytest.raises(DiskFault) as raised:
        doing()
    assert raised.value.why is why


def test_the_defaults_are_what_is_documented() -> None:
    assert DiskLimits().inline_bytes == 32 * 1024
    assert DiskLimits().meta_bytes == 256 * 1024
    assert not DiskLimits().durable


def test_a_head_at_the_limit_is_stored_and_one_above_it_is_not(tier: DiskTier) -> None:
    limit = tier.limits.meta_bytes
    tier.put_small(primary(1), NO_VARY, b"m" * limit, b"body")
    assert whole(tier.read(primary(1))) == (b"m" * limit, b"body")
    above = b"m" * (limit + 1)
    faulted(DiskFailure.TOO_LARGE, lambda: tier.put_small(primary(2), NO_VARY, above, b"body"))
    faulted(DiskFailure.TOO_LARGE, lambda: tier.replace_meta(primary(1), NO_VARY, above))
    assert tier.counters.faults[DiskFailure.TOO_LARGE] == 2
