"""Listening sockets are bound once, spread over workers, and taken by one node only."""

from __future__ import annotations

import asyncio
import socket

import pytest

from edge.errors import EdgeError
from edge.server import sockets
from edge.settings.node import ListenAddress

HERE = ListenAddress("127.0.0.1", 0)


def connect(address: ListenAddress) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=5)


async def test_each_worker_has_a_socket_of_its_own_on_the_same_port():
    groups = await sockets.bind(HERE, 3)
    assert len(groups) == 3
    assert len({sock.fileno() for group in groups for sock in group}) == 3
    assert len({sockets.listening_at(group[0]) for group in groups}) == 1
    for group in groups:
        sockets.close(group)


async def test_a_connection_waits_for_a_worker_that_is_not_there_yet():
    (group,) = await sockets.bind(HERE, 1)
    client = connect(sockets.listening_at(group[0]))
    accepted, _ = group[0].accept()
    client.close()
    accepted.close()
    sockets.close(group)


async def test_a_port_in_use_is_said_even_where_its_user_would_share_it():
    (group,) = await sockets.bind(HERE, 1)
    with pytest.raises(EdgeError, match="in use"):
        await sockets.bind(sockets.listening_at(group[0]), 1, patience=0.0)
    sockets.close(group)


async def test_a_port_whose_user_is_just_ending_is_waited_for():
    (group,) = await sockets.bind(HERE, 1)
    address = sockets.listening_at(group[0])
    asyncio.get_running_loop().call_later(0.1, sockets.close, group)
    (again,) = await sockets.bind(address, 1)
    assert sockets.listening_at(again[0]) == address
    sockets.close(again)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_that_is_not_ours_is_said(host: str):
    with pytest.raises(EdgeError, match=f"cannot listen on {host}:8080"):
        await sockets.bind(ListenAddress(host, 8080), 1)


async def test_a_socket_can_join_the_group_it_left():
    groups = await sockets.bind(HERE, 2)
    where = groups[1][0].getsockname()
    sockets.close(groups[1])
    again = sockets.join(socket.AF_INET, where)
    assert again.getsockname() == where
    sockets.close([again, *groups[0]])


async def test_an_address_of_ipv6_is_of_ipv6_only():
    try:
        (group,) = await sockets.bind(ListenAddress("::1", 0), 1)
    except EdgeError:
        pytest.skip("this machine has no IPv6")
    assert group[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    assert str(sockets.listening_at(group[0])).startswith("[::1]:")
    sockets.close(group)


async def test_a_udp_address_in_use_is_refused_and_a_group_spreads():
    (one,) = await sockets.bind(ListenAddress("127.0.0.1", 0), 1, kind=socket.SOCK_DGRAM)
    where = sockets.listening_at(one[0])
    with pytest.raises(EdgeError, match="in use"):
        await sockets.bind(where, 1, patience=0.0, kind=socket.SOCK_DGRAM)
    sockets.close(one)
    first, second = await sockets.bind(where, 2, kind=socket.SOCK_DGRAM)
    joined = sockets.join(socket.AF_INET, first[0].getsockname(), socket.SOCK_DGRAM)
    assert sockets.listening_at(joined) == sockets.listening_at(second[0]) == where
    sockets.close([*first, *second, joined])
