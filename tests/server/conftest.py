"""What talks to clients is tested on both loops an edge runs on: they differ in how they tell ends and fullness."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.kit.certificates import Authority

_ON_BOTH = {
    "test_connection.py",
    "test_connection_ends.py",
    "test_listener.py",
    "test_outlet.py",
    "test_sending.py",
    "test_tls_listener.py",
    "test_tls_transport.py",
    "test_tunnel.py",
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """pytest-asyncio's hook: the loops to run a test on."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.name in _ON_BOTH:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the certificates of a test."""
    return Authority.make(tmp_path)
