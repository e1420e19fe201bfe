"""Readers of the purge log against a log that is cruel: it loses live messages, repeats and reorders them, answers from
replicas that lag, forgets what is old, is set back to a backup, and is made anew.

What must hold: whenever nothing is left to ask, every reader has come to the log's end, all agree on its history, and
each order in the log was either read by the reader, or was there before the reader last said that it knows nothing older.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.purge.reading import Reading
from edge.purge.reading_steps import (
    AskAnchor,
    AskBatch,
    AskHistory,
    AskLeader,
    AskState,
    Begin,
    Entry,
    LogState,
    ReadOrder,
    ReadOther,
    Rest,
    Result,
    SayHistory,
)
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import NewHistory, PurgeOrder, encode
from edge.semantics.selectors import Everything

READERS = 2
MOST_ASKS = 200
"""Until a reader has to be at rest, after the last thing that happened."""


@dataclass
class Log:
    """The truth."""

    made: int = 0
    stamps: int = 0
    created: str = "t0"
    entries: list[Entry] = field(default_factory=list)
    first: int = 1
    last: int = 0
    leader: str = "a"
    live: list[Entry] = field(default_factory=list)
    """What was said since the last delivery."""

    def append(self, data: bytes) -> Entry:
        self.stamps += 1
        self.last += 1
        entry = Entry(self.last, f"{self.stamps:06}", data)
        self.entries.append(entry)
        self.live.append(entry)
        return entry

    def order(self) -> None:
        self.made += 1
        self.append(encode(PurgeOrder(f"o{self.made}", UnixSeconds(0), (Everything(),))))

    def from_on(self, start: int) -> list[Entry]:
        return [entry for entry in self.entries if entry.seq >= start]

    def at(self, seq: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.seq == seq), None)

    def history(self) -> Entry | None:
        return next((each for each in reversed(self.entries) if b'"is":"history"' in each.data), None)


class Reader:
    """A reading, and what came out of it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.reading = Reading()
        self.known: set[str] = set()
        """Stamps of what was read, or was there when it began."""
        self.at = ("", 0)

    def take(self, results: list[Result]) -> None:
        for result in results:
            if isinstance(result, Begin):
                self.known |= {entry.stamp for entry in self.log.entries if entry.seq <= result.seq}
                assert result.history != self.at[0] or result.seq >= self.at[1]
                self.at = (result.history, result.seq)
            else:
                assert isinstance(result, ReadOrder | ReadOther)
                assert result.seq == self.at[1] + 1, f"{result.seq} after {self.at}"
                self.at = (self.at[0], result.seq)

    def heard(self, entry: Entry) -> None:
        before = self.reading.applied
        results = self.reading.live(entry)
        self.take(results)
        self.note(before)

    def note(self, before: int) -> None:
        """What was read just now is what the log has at those numbers (or had, when it was heard)."""
        for seq in range(before + 1, self.reading.applied + 1):
            stamp = self.reading._recent.get(seq)
            if stamp is not None:
                self.known.add(stamp)

    def step(self, lag: int, most: int) -> bool:
        """Answer what it asks. lag: messages that the replica lacks. False = it asked nothing."""
        reading, log = self.reading, self.log
        before = reading.applied
        match reading.next():
            case Rest():
                return False
            case AskState():
                asked = reading.asking_state()
                found = log.at(log.last)
                stamp = "" if found is None else found.stamp
                reading.state(LogState(log.created, log.first, log.last, log.leader, stamp), asked)
            case AskAnchor(seq):
                found = log.at(seq)
                self.take(reading.anchor(None if found is None else found.stamp))
            case AskBatch(start):
                held = [entry for entry in log.from_on(start) if entry.seq <= log.last - lag]
                self.take(list(reading.fetched(held[:most])))
            case AskLeader(start):
                self.take(reading.leader_has(next(iter(log.from_on(start)), None)))
            case AskHistory():
                self.take(reading.last_history(log.history()))
            case SayHistory(history, _):
                log.append(encode(NewHistory(history, "n", UnixSeconds(0))))
                reading.history_said()
        self.note(before)
        return True

    def restart(self) -> None:
        old, self.reading = self.reading, Reading()
        if old.history and old.stamp and not old.suspended:
            self.reading.resume(old.created, old.history, old.applied, old.stamp)
        else:
            self.at = ("", 0)


class PurgeReadingModel(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.log = Log()
        self.readers = [Reader(self.log) for _ in range(READERS)]

    # -- what happens to the log --

    @rule(count=st.integers(1, 4))
    def purge(self, count: int) -> None:
        for _ in range(count):
            self.log.order()

    @rule()
    def something_that_cannot_be_read(self) -> None:
        self.log.append(b"{")

    @rule(count=st.integers(1, 5))
    def expire(self, count: int) -> None:
        self.log.first = min(self.log.first + count, self.log.last + 1)
        self.log.entries = self.log.from_on(self.log.first)

    @precondition(lambda self: self.log.last > 0)
    @rule(count=st.integers(1, 6))
    def set_back(self, count: int) -> None:
        """To a backup; readers lose their connections. What was published after the backup is gone."""
        log = self.log
        log.last = max(log.first - 1, log.last - count)
        log.entries = [entry for entry in log.entries if entry.seq <= log.last]
        log.live.clear()
        self.connections_break()

    @precondition(lambda self: self.log.last > 0)
    @rule(count=st.integers(1, 6), more=st.integers(0, 8))
    def set_back_unnoticed(self, count: int, more: int) -> None:
        """The connections stay. What comes then is heard; where nothing comes, looking has to tell."""
        self.all_come_to_rest(0)
        log = self.log
        log.last = max(log.first - 1, log.last - count)
        log.entries = [entry for entry in log.entries if entry.seq <= log.last]
        log.live.clear()
        for _ in range(more):
            log.order()
        self.deliver_well()
        self.all_come_to_rest(0)

    @precondition(lambda self: len(self.log.entries) > 1)
    @rule(data=st.data())
    def lose_one(self, data: st.DataObject) -> None:
        """A damaged block: a hole in the middle of the log."""
        lost = data.draw(st.sampled_from(self.log.entries[:-1]))
        self.log.entries.remove(lost)
        self.log.first = self.log.entries[0].seq

    @rule()
    def made_anew(self) -> None:
        log = self.log
        log.stamps += 1
        log.created, log.entries, log.first, log.last = f"t{log.stamps}", [], 1, 0
        log.live.clear()
        self.connections_break()

    @rule(leader=st.sampled_from("ab"))
    def elect(self, leader: str) -> None:
        self.log.leader = leader

    # -- what happens to readers --

    @rule()
    def connections_break(self) -> None:
        for reader in self.readers:
            reader.reading.connected()

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Each reader hears some of what was said: in any order, some of it twice, some of it never."""
        said, self.log.live[:] = list(self.log.live), []
        for reader in self.readers:
            heard = data.draw(st.lists(st.sampled_from(said), max_size=len(said) + 2)) if said else []
            for entry in heard:
                reader.heard(entry)

    @rule()
    def deliver_well(self) -> None:
        said, self.log.live[:] = list(self.log.live), []
        for reader in self.readers:
            for entry in said:
                reader.heard(entry)

    @rule(index=st.integers(0, READERS - 1), lag=st.integers(0, 3), most=st.integers(1, 4))
    def answer(self, index: int, lag: int, most: int) -> None:
        self.readers[index].step(lag, most)

    @rule(index=st.integers(0, READERS - 1))
    def look(self, index: int) -> None:
        self.readers[index].reading.look()

    @rule(index=st.integers(0, READERS - 1))
    def restart(self, index: int) -> None:
        self.readers[index].restart()

    # -- what must hold --

    @invariant()
    def nobody_who_doubts_the_log_says_that_it_is_caught_up(self) -> None:
        assert not any(each.reading.suspended and each.reading.is_caught_up for each in self.readers)

    @rule(lag=st.integers(0, 2))
    def all_come_to_rest(self, lag: int) -> None:
        for _ in range(READERS):  # one of them may say a new history, which the others have to read
            for reader in self.readers:
                reader.reading.look()
                for _ in range(MOST_ASKS):
                    if not reader.step(lag, 3):
                        break
                else:
                    raise AssertionError(f"it asks for ever: {reader.reading.next()}")
        for reader in self.readers:
            reading = reader.reading
            assert reading.is_caught_up
            assert reading.applied == self.log.last
            missed = {entry.stamp for entry in self.log.entries} - reader.known
            assert missed == set(), "orders in the log that this reader never saw, and vouches for"
        assert len({reader.reading.history for reader in self.readers}) == 1

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.all_come_to_rest(0)


TestPurgeReading = pytest.mark.slow(PurgeReadingModel.TestCase)
TestPurgeReading.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
