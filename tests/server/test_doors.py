"""All of a node's sockets are bound, in their order, or none is."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.server import sockets
from edge.server.doors import open_doors
from edge.settings.node import ListenAddress, NodeSettings
from tools.ports import free_port

ANY = ListenAddress("127.0.0.1", 0)


def settings(**changes: object) -> NodeSettings:
    plain = NodeSettings(listen=(ANY,), admin=ANY)
    return replace(plain, **changes)  # type: ignore[arg-type]


async def test_each_worker_has_one_of_each_kind_in_order():
    plain = settings(listen=(ANY, ANY))
    said = replace(plain, tls=replace(plain.tls, listen=(ANY,)), tier=replace(plain.tier, listen=ANY))
    doors = await open_doors(said, 3)
    try:
        assert (doors.clients, doors.tls, doors.tier) == (2, 1, 1)
        assert [len(group) for group in doors.groups] == [4, 4, 4]
        ports = [[sock.getsockname()[1] for sock in group] for group in doors.groups]
        assert ports[0] == ports[1] == ports[2]
        line = doors.described(Path("/data"))
        assert doors.addresses == tuple(f"127.0.0.1:{port}" for port in ports[0][:2])
        assert f"https://127.0.0.1:{ports[0][2]}" in line
        assert str(ports[0][3]) not in line
        assert "3 workers; admin http://127.0.0.1:" in line
        assert line.endswith("data in /data")
    finally:
        sockets.close([*doors.admin, *(sock for group in doors.groups for sock in group)])


async def test_without_an_admin_address_there_is_no_admin_socket():
    doors = await open_doors(settings(admin=None), 1)
    assert doors.admin == []
    assert "1 worker; admin off;" in doors.described("d")
    sockets.close(doors.groups[0])


async def test_an_address_that_is_taken_leaves_nothing_bound():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = ListenAddress("127.0.0.1", free_port())
        there = ListenAddress("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(EdgeError, match="the address is in use"):
            await open_doors(settings(listen=(free,), admin=there), 2)
        with socket.create_server((free.host, free.port)):
            pass  # it can be had again
