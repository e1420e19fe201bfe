"""Ports for processes that are told theirs."""

from __future__ import annotations

import socket

from tools.ports import FIRST_PORT, LAST_PORT, free_port, free_ports, is_free


def test_free_ports_are_never_given_twice() -> None:
    assert len(set(free_ports(20) + free_ports(20))) == 40
    given = [*free_ports(5), *free_ports(5)]
    assert len(set(given)) == 10


def test_a_port_that_somebody_has_is_not_given() -> None:
    port = free_port()
    assert FIRST_PORT <= port < LAST_PORT
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert port not in free_ports(50)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", port))
        assert not is_free(port)
    assert is_free(port)
