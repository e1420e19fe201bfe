"""A reply that nobody takes lets go of what stands behind it."""

from __future__ import annotations

from edge.exchange import Exchange, Presence, Reply
from edge.fill.body_reader import BodyReader
from edge.semantics.message import EMPTY, ResponseHead
from tests.kit.exchanges import requested
from tests.kit.scripted_upstream import Coming


class Ending:
    """A tunnel that knows how often it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def read(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def close(self) -> None:
        self.closed += 1


def test_a_discarded_stream_is_closed_and_so_is_a_tunnel():
    coming, tunnel = Coming(), Ending()
    Reply(200, b"", EMPTY, coming.reader, None, tunnel=tunnel).discard()
    assert coming.is_dropped
    assert tunnel.closed == 1


def test_bytes_and_no_body_need_nothing():
    for body in (b"body", None, BodyReader.of(b"ended")):
        Reply(200, b"", EMPTY, body, 4).discard()


def test_who_cannot_take_interim_responses_does_not_get_them():
    Exchange(requested(), "192.0.2.1").on_interim(ResponseHead(103, b"", EMPTY))


def test_a_task_is_cancelled_with_its_client_but_while_others_may_want_what_it_does():
    told: list[str] = []
    presence = Presence()
    presence.stay(lambda: told.append("left"))
    presence.stayed()
    assert [presence.is_gone, presence.go(), presence.is_gone] == [False, False, True]
    assert not told
    presence = Presence()
    presence.stay(lambda: told.append("left"))
    assert [presence.go(), presence.is_gone] == [True, True]
    assert told == ["left"]
