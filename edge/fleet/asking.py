"""Questions to other nodes, and our answers to theirs.

Owns: `Asking`. Rules: a question goes to <prefix>.ask.<node> of each node that is to answer, an answer to
<prefix>.answer.<who asked>, by the question's id: nobody needs to listen to more than two subjects of its own. Both are one
JSON object of bounded size. Who does not answer in time is left out. Only so many questions are answered at a time; one more
is dropped, and its asker sees a node that does not answer: whoever may publish on the bus must not be able to keep us busy.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.bus.address import subject_token
from edge.bus.connection import Bus, Said
from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.fleet.presence import MAX_NAME
from edge.measures import Measures
from edge.tasks import TaskOwner

VERSION = 1
MAX_QUESTION_BYTES = 900 * 1024
"""An order of the log, as a text in JSON; a NATS server takes 1 MiB."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_ANSWERING = 4
MAX_SECONDS = 30.0

_ID = re.compile(r"[0-9a-f]{16}")
_NODE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._\-]{{0,{MAX_NAME - 1}}}")

Answer = Callable[[Mapping[str, Any], float], Awaitable[Mapping[str, Any]]]
"""What we answer to a question. The number: seconds that it may take."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A question of ours under way."""

    awaited: set[str]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)


class Asking:
    """See the module. node: our name."""

    def __init__(self, bus: Bus, node: str, answer: Answer, *, clock: Clock, measures: Measures) -> None:
        self._bus = bus
        self._node = node
        self._answer = answer
        self._clock = clock
        self._counted = measures.fleet_questions
        self._asked: dict[str, _Asked] = {}
        self._answering = 0
        self._tasks: TaskOwner | None = None

    async def start(self, tasks: TaskOwner) -> None:
        """Answer from now on, in tasks of `tasks`."""
        self._tasks = tasks
        prefix, token = self._bus.address.prefix, subject_token(self._node)
        await self._bus.subscribe(f"{prefix}.ask.{token}", self._heard_question)
        await self._bus.subscribe(f"{prefix}.answer.{token}", self._heard_answer)

    async def ask(
        self, nodes: Iterable[str], question: Mapping[str, Any], seconds: float
    ) -> dict[str, dict[str, Any]]:
        """What each of them answers within so many seconds; who does not is left out. BusFault when none can be asked."""
        seconds = min(seconds, MAX_SECONDS)
        number = secrets.token_hex(8)
        said = {"v": VERSION, "id": number, "by": self._node, "within": seconds, "question": question}
        data = json.dumps(said, separators=(",", ":")).encode()
        if len(data) > MAX_QUESTION_BYTES:
            raise BusFault(f"a question of {len(data)} bytes", status=413)
        asked = self._asked[number] = _Asked(set(nodes))
        try:
            for node in tuple(asked.awaited):
                await self._bus.publish(f"{self._bus.address.prefix}.ask.{subject_token(node)}", data)
            if asked.awaited:
                async with asyncio.timeout(seconds):
                    await asked.done.wait()
        except TimeoutError:
            pass
        finally:
            del self._asked[number]
        return dict(sorted(asked.answers.items()))

    def _heard_answer(self, said: Said) -> None:
        answer = _read(said.data, MAX_ANSWER_BYTES)
        asked = None if answer is None else self._asked.get(str(answer.get("id")))
        if answer is None or asked is None:
            self._counted.of("late" if answer is not None else "bad").value += 1
            return
        node, content = answer.get("by"), answer.get("answer")
        if not isinstance(node, str) or not isinstance(content, dict) or node not in asked.awaited:
            self._counted.of("bad").value += 1
            return
        asked.awaited.discard(node)
        asked.answers[node] = content
        if not asked.awaited:
            asked.done.set()

    def _heard_question(self, said: Said) -> None:
        asked = _read(said.data, MAX_QUESTION_BYTES)
        if asked is None or not _is_question(asked):
            self._counted.of("bad").value += 1
            return
        if self._answering >= MAX_ANSWERING:
            self._counted.of("dropped").value += 1
            return
        assert self._tasks is not None, "nothing is heard before the start"
        self._answering += 1
        self._tasks.spawn(self._reply(asked), name="answer")

    async def _reply(self, asked: Mapping[str, Any]) -> None:
        outcome = "failed"
        try:
            within = min(float(asked["within"]), MAX_SECONDS)
            async with asyncio.timeout(within):
                answer = await self._answer(asked["question"], within)
            said = {"v": VERSION, "id": asked["id"], "by": self._node, "answer": answer}
            data = json.dumps(said, separators=(",", ":")).encode()
            if len(data) <= MAX_ANSWER_BYTES:
                await self._bus.publish(
                    f"{self._bus.address.prefix}.answer.{subject_token(asked['by'])}", data
                )
                outcome = "answered"
        except (BusFault, TimeoutError):
            return
        finally:
            self._answering -= 1
            self._counted.of(outcome).value += 1


def _read(data: bytes, most: int) -> dict[str, Any] | None:
    if len(data) > most:
        return None
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("v") == VERSION else None


def _is_question(said: Mapping[str, Any]) -> bool:
    number, by, within = said.get("id"), said.get("by"), said.get("within")
    return (
        isinstance(number, str)
        and _ID.fullmatch(number) is not None
        and isinstance(by, str)
        and _NODE.fullmatch(by) is not None
        and (type(within) is int or type(within) is float)
        and within > 0
        and isinstance(said.get("question"), dict)
    )
