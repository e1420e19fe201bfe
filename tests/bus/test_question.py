"""One question, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from edge.bus.faults import BusLost, BusSilent, NobodyThere
from edge.bus.question import Question, Said


def said(data: bytes, status: str = "") -> Said:
    return Said("inbox.1", data, {}, status)


async def test_an_answer_may_have_several_parts():
    parts: list[bytes] = []

    def take(part: Said) -> bool:
        parts.append(part.data)
        return part.data == b"end"

    question = Question("s", take, 60.0)
    for data in (b"1", b"2"):
        question.heard(said(data))
        assert not question.done.done()
    question.heard(said(b"end"))
    await question.done
    question.heard(said(b"too late"))
    question.close()
    assert parts == [b"1", b"2", b"end"]


async def test_the_first_word_of_nobody_ends_it():
    question = Question("s", lambda part: True, 60.0)
    question.heard(said(b"", "503"))
    question.fail(BusLost("and then the connection went"))
    with pytest.raises(NobodyThere):
        await question.done
    question.close()


async def test_silence_ends_it_also_in_the_middle_of_an_answer():
    question = Question("s", lambda part: False, 0.01)
    question.heard(said(b"1"))
    with pytest.raises(BusSilent, match="no answer to s within 0.01 s"):
        async with asyncio.timeout(10.0):
            await question.done
    question.close()


async def test_each_part_has_its_time():
    question = Question("s", lambda part: False, 60.0)
    heard_at = question._heard_at
    question._heard_at = heard_at - 59.0
    question._look()
    assert not question.done.done()
    question.heard(said(b"1"))
    assert question._heard_at >= heard_at
    question.close()
