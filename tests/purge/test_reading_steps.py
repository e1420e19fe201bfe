"""How histories are named."""

import pytest

from edge.purge.reading_steps import history_in, natural_history
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import NewHistory, Tick, encode, is_id


def test_a_stream_has_a_history_from_its_creation_on():
    one, other = natural_history("2026-11-24T12:00:00.1Z"), natural_history("2026-11-24T12:00:00.2Z")
    assert one != other
    assert (len(one), int(one, 16) > 0, is_id(f"history-{one}")) == (16, True, True)
    assert natural_history("2026-11-24T12:00:00.1Z") == one, "on every node, and after every restart"


@pytest.mark.parametrize(
    "data,history",
    [
        (encode(NewHistory("a" * 16, "n", UnixSeconds(0.0))), "a" * 16),
        (encode(Tick(UnixSeconds(0.0), "n", {})), None),
        (b"nonsense", None),
    ],
)
def test_a_message_begins_a_history_or_none(data: bytes, history: str | None):
    assert history_in(data) == history
