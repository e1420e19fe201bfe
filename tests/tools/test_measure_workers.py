"""What a second worker brings: the arithmetic, what /proc tells, and that a small machine gets no false answer."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from tools.benching.load import Measured, Wrk
from tools.measure_workers import Turn, connections_of, established, has_enough, table_of, workers

ONE = Turn(Measured(10_000, 0, 1.0), (64,), (0.25,))
TWO = Turn(Measured(18_000, 0, 1.0), (40, 24), (0.3, 0.2))


def test_where_cores_allow_the_gain_is_that_of_turns_side_by_side():
    slow = (
        Turn(Measured(1_000, 0, 1.0), (64,), (0.025,)),
        Turn(Measured(1_800, 0, 1.0), (32, 32), (0.03, 0.02)),
    )
    rows = dict(table_of([ONE, slow[0]], [TWO, slow[1]], cores=4))
    assert rows["the second worker brings"] == "1.80 times the hits of one"
    assert rows["one worker"] == "5,500 hits/s, 25.0 us CPU a hit"
    assert rows["connections of each, by turn"] == "40 and 24; 32 and 32"
    assert rows["share of the work of each, by turn"] == "60% and 40%; 60% and 40%"
    assert rows["CPU time of a request, two workers / one"] == "1.11"


def test_with_two_cores_no_gain_is_claimed():
    assert not has_enough(2)
    assert "not to be told with 2 cores" in dict(table_of([ONE], [TWO], cores=2))["the second worker brings"]


def test_only_connections_at_our_port_that_stand_are_counted():
    line = "   0: 0100007F:{port} 0100007F:9C40 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1"
    table = "\n".join(
        [
            "  sl  local_address rem_address   st ...",
            line.format(port="1F90", state="01", inode="11"),
            line.format(port="1F90", state="0A", inode="12"),
            line.format(port="1F91", state="01", inode="13"),
        ]
    )
    assert established(table, 8080) == {"11"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_connections_of_a_process_are_those_it_holds():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connections_of(os.getpid(), port) == 0
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            assert connections_of(os.getpid(), port) == 1


@pytest.mark.slow
@pytest.mark.skipif(not Wrk.is_installed() or sys.platform != "linux", reason="needs wrk and /proc")
def test_a_small_run_shows_both_workers():
    rows = dict(workers(rounds=1, seconds=1.0))
    both = rows["connections of each, by turn"].split(" and ")
    assert len(both) == 2
    assert sum(map(int, both)) == 64
