"""What a worker's descriptors are for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.server.file_shares import share_files
from edge.wire.limits import DEFAULT_LIMITS


@pytest.mark.parametrize(
    ("allowed", "connections", "bodies"), [(100_000, 20_000, 512), (1_024, 640, 256), (16, 8, 8), (0, 8, 8)]
)
def test_clients_never_take_what_the_next_tier_and_the_store_need(
    allowed: int, connections: int, bodies: int
):
    limits = replace(DEFAULT_LIMITS, connections=20_000, reserved_files=128)
    shares = share_files(allowed, limits)
    assert (shares.connections, shares.bodies) == (connections, bodies)
