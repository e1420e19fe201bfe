"""What a reader asks the servers of the purge log, one function each; and what their answers look like.

Owns: the JetStream requests of edge.purge.follower. Rules: what the leader is asked is asked of the leader (STREAM.INFO,
STREAM.MSG.GET); a Direct Get is answered by any replica and may be behind. All raise BusFault.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from edge.bus.connection import Bus, Said
from edge.bus.faults import ApiFault
from edge.purge.log import acknowledged
from edge.purge.reading_steps import Entry, LogState
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import NewHistory, encode

ASK_SECONDS = 1.0
BATCH = 200
"""A thousand at once would hold the loop for 15 ms and be no faster."""
BATCH_BYTES = 256 * 1024
"""Of one batch. An order that is larger is got of the leader, alone."""

NO_MESSAGE = 10037
_NOT_OURS = "an answer that is not of this version of NATS"


def entry_of(said: Said, stream: str) -> Entry | None:
    """A message of the log, as it was repeated or got directly; None = it is none."""
    headers = said.headers
    try:
        seq = int(headers["Nats-Sequence"])
        if headers["Nats-Stream"] != stream or seq <= 0:
            return None
        return Entry(seq, headers["Nats-Time-Stamp"], said.data)
    except (KeyError, ValueError):
        return None


async def state(bus: Bus) -> LogState:
    """What the log says of itself."""
    info = await bus.api(f"STREAM.INFO.{bus.address.stream}", within=ASK_SECONDS)
    try:
        said, cluster = info["state"], info.get("cluster") or {}
        last = int(said["last_seq"])
        is_empty = int(said["messages"]) == 0
        return LogState(
            created=str(info["created"]),
            first=last + 1 if is_empty else int(said["first_seq"]),
            last=last,
            leader=f"{cluster.get('leader')} {cluster.get('leader_since')}",
            last_stamp="" if is_empty else str(said["last_ts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _odd(error) from error


async def batch(bus: Bus, start: int) -> list[Entry]:
    """Messages from `start` on, in order; [] = that replica has none."""
    entries: list[Entry] = []
    stream = bus.address.stream

    def take(said: Said) -> bool:
        if said.status:
            return True  # 204: that was all for now; 404: nothing is there
        entry = entry_of(said, stream)
        if entry is not None:
            entries.append(entry)
        return False

    asked = json.dumps({"seq": start, "batch": BATCH, "max_bytes": BATCH_BYTES}).encode()
    await bus.gather(bus.address.api(f"DIRECT.GET.{stream}"), asked, take, within=ASK_SECONDS)
    return entries


async def at(bus: Bus, seq: int) -> Entry | None:
    """The message at `seq`; None = there is none."""
    return await _of_leader(bus, {"seq": seq}) if seq > 0 else None


async def at_or_after(bus: Bus, seq: int) -> Entry | None:
    """The first message from `seq` on; None = there is none."""
    return await _of_leader(bus, {"seq": seq, "next_by_subj": ">"})


async def last_history(bus: Bus) -> Entry | None:
    """The last message that began a history; None = there is none."""
    return await _of_leader(bus, {"last_by_subj": bus.address.history_subject})


async def say_history(bus: Bus, history: str, message_id: str, *, by: str, at: UnixSeconds) -> None:
    """Have it in the log. at: unix seconds now."""
    said = await bus.request(
        bus.address.history_subject,
        encode(NewHistory(history, by, at)),
        within=ASK_SECONDS,
        headers={"Nats-Msg-Id": message_id},
    )
    acknowledged(said)


async def _of_leader(bus: Bus, asked: Mapping[str, Any]) -> Entry | None:
    try:
        answer = await bus.api(f"STREAM.MSG.GET.{bus.address.stream}", asked, within=ASK_SECONDS)
    except ApiFault as fault:
        if fault.err_code == NO_MESSAGE:
            return None
        raise
    try:
        said = answer["message"]
        data = base64.b64decode(said.get("data", ""), validate=True)
        return Entry(int(said["seq"]), str(said["time"]), data)
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise _odd(error) from error


def _odd(error: Exception) -> ApiFault:
    return ApiFault(f"{_NOT_OURS}: {type(error).__name__} {error}"[:200], code=500, err_code=0)
