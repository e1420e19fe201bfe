"""The reckoning of a soak; the whole of it is tests/scenarios/test_p02_soak.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nats.aio.client import Client

from edge.purge.signing.key_files import load_keys
from tools.soaking.faults import Fault, Happened
from tools.soaking.processes import TOKEN, LogCluster
from tools.soaking.soak import gaps, in_log, write_key


def test_a_gap_is_from_a_fault_of_the_log_to_the_next_purge_that_was_taken() -> None:
    happened = [
        Happened(Fault.LEADER_KILLED, "n1", 10.0, 12.0),
        Happened(Fault.LEADER_KILLED, "n2", 30.0, 31.0),
        Happened(Fault.NODE_KILLED, "edge-1", 10.0, 12.0),
        Happened(Fault.QUORUM_LOST, "n1 n2", 99.0, 99.5),
    ]
    assert gaps(happened, [5.0, 13.5, 14.0, 30.5]) == {Fault.LEADER_KILLED.value: [3.5, 0.5]}


def test_the_key_of_a_soak_may_purge_everything(tmp_path: Path) -> None:
    signing = write_key(tmp_path / "keys")
    held = load_keys(tmp_path / "keys").get(signing.id)
    assert held is not None and held.scope.may_purge_everything


@pytest.mark.slow
async def test_the_log_is_read_to_its_end(tmp_path: Path) -> None:
    async with LogCluster(tmp_path, size=1) as cluster:
        port = cluster.servers[0].port
        client = Client()
        await client.connect(f"nats://127.0.0.1:{port}", token=TOKEN)
        stream = client.jetstream()
        await stream.add_stream(name="PERIGEE", subjects=["log.>"])
        for said in ({"is": "purge", "id": "o1"}, {"is": "tick"}, {"is": "purge", "id": "o2"}):
            await stream.publish("log.x", json.dumps(said).encode())
        await client.close()
        assert await in_log([port]) == [("o1", 1), ("o2", 3)]
