"""A replay is added up once, whatever the tiers say of it."""

from __future__ import annotations

from array import array

import pytest

from tools.replaying.tally import Answered, Tally, as_json, as_text, percentile
from tools.replaying.tiers import Deed, Did


def tally() -> Tally:
    said = Tally([3, 1])
    said.seconds = 2.0
    forwarded = (Deed("e1", Did.FORWARDED), Deed("s1", Did.HIT))
    for deeds in ((Deed("e1", Did.HIT),), forwarded, (Deed("e2", Did.COLLAPSED),)):
        said.answered(Answered(200, 10, 0.001, 0.002, deeds))
    said.failed("ServerDisconnectedError")
    return said


def test_a_ratio_is_of_the_requests_that_reached_a_tier():
    said = tally()
    assert said.hit_ratio(("e1", "e2")) == pytest.approx(2 / 3)
    assert (said.hit_ratio(("s1",)), said.hit_ratio(("s2",)), said.asked(("s1", "s2"))) == (1.0, None, 1)


def test_a_program_is_told_the_same_as_people():
    said = as_json(tally())
    assert (said["requests"], said["bytes"], said["statuses"]) == (4, 30, {"200": 3})
    assert said["tiers"]["e1"] == {"hit": 1, "forwarded": 1, "asked": 2, "hit_ratio": 0.5}
    text = "\n".join(as_text(tally()))
    for part in (
        "4 requests in 2.0 s (2/s), 30 body bytes",
        "1 failed: ServerDisconnectedError",
        "p99 1.0 ms",
    ):
        assert part in text


def test_what_was_left_out_or_late_is_said():
    said = tally()
    said.skipped, said.late = 7, 3.25
    text = "\n".join(as_text(said))
    assert "7 requests of other methods" in text
    assert "3.2 s after its time" in text


def test_percentiles_are_nearest_ranks():
    values = array("d", [5.0, 1.0, 3.0, 2.0, 4.0])
    assert [percentile(values, each) for each in (1, 50, 90, 99)] == [1.0, 3.0, 5.0, 5.0]
    assert percentile(array("d"), 50) is None
