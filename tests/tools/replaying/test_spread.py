"""Clients are spread evenly, and stay where they are."""

from __future__ import annotations

from collections import Counter

from tools.replaying.spread import Spread, edge_of, namesake

CLIENTS = [f"192.0.2.{number}" for number in range(256)]


def test_a_client_stays_with_his_edge_and_all_edges_have_their_share():
    first = [edge_of(Spread.ADDRESS, client, turn, 4) for turn, client in enumerate(CLIENTS)]
    again = [edge_of(Spread.ADDRESS, client, turn + 7, 4) for turn, client in enumerate(CLIENTS)]
    assert first == again
    assert min(Counter(first).values()) > 40


def test_an_edge_more_moves_its_share_only():
    moved = [
        client
        for client in CLIENTS
        if edge_of(Spread.ADDRESS, client, 0, 4) != edge_of(Spread.ADDRESS, client, 0, 5)
    ]
    assert {edge_of(Spread.ADDRESS, client, 0, 5) for client in moved} == {4}
    assert len(moved) < 80


def test_turns_go_round():
    assert [edge_of(Spread.TURNS, "a", turn, 3) for turn in range(4)] == [0, 1, 2, 0]
    assert edge_of(Spread.TURNS, "a", 5, 1) == edge_of(Spread.ADDRESS, "a", 5, 1) == 0


def test_namesakes_are_others():
    assert namesake("a", 0) == "a"
    assert len({namesake("a", copy) for copy in range(4)}) == 4
