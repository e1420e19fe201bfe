"""How the purge log is read: in order, without a hole, and without believing that a log never forgets. PURE. DESIGN section 4.

Owns: `Reading`, the state of one reader. It is told what came (live messages, answers) and says two things: what that
means for the purge table (`Result`), and what it wants to be asked next (`Ask`). edge.purge.follower does the asking.

Rules:
* each message is read exactly once, at the sequence number after the last; what comes early waits, what comes twice is
  dropped (the server's time stamp tells whether it is the same message);
* live messages are a convenience: they can be lost without a word. Holes are filled from the log, and the log is asked now
  and then how far it goes;
* a replica may lag behind: an empty or holey answer is asked of the leader before it is believed;
* another creation time is another log. In the same one, the message last read is the *anchor*: after each connection,
  each change of leader and each doubt, nothing is read before the leader was asked for it and gave the same one;
* a log that has lost its anchor was rewound (a backup, a power cut): numbers will be given again. Then this reader is
  *suspended* until a NewHistory stands in the log, which it orders itself if nobody else has; all that is older is
  unknown from then on. `last < applied` alone is no proof: a leader that was just elected says so in passing;
* where the log no longer reaches back to what was read last, all that is older is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from edge.purge.reading_steps import (
    Ask,
    AskAnchor,
    AskBatch,
    AskHistory,
    AskLeader,
    AskState,
    Began,
    Begin,
    Entry,
    LogState,
    ReadOrder,
    ReadOther,
    Rest,
    Result,
    SayHistory,
    history_in,
    natural_history,
)
from edge.semantics.purge_order import BadMessage, NewHistory, PurgeOrder, Tick, decode

MAX_AHEAD: Final = 10_000
"""Messages that came too early; more are fetched again when it is their turn."""
RECENT: Final = 4_096
"""Messages read last of which the time stamp is remembered."""
MAX_DOUBTS: Final = 5
"""Answers in a row that say that the log ends before what was read, until that is believed."""


class Reading:
    """See the module. It begins empty, or where it was: `resume`."""

    def __init__(self) -> None:
        self.created = ""
        self.history = ""
        """"" = nothing is known yet."""
        self.applied = 0
        """Sequence number of the last message read."""
        self.stamp = ""
        """Of that message; "" = not known."""
        self.head = 0
        """The highest number that is known to be in the log."""
        self.suspended = False
        self.rewinds = 0
        self._leader = ""
        self._is_checked = False
        self._wants_state = True
        self._pauses = False
        self._doubts = 0
        self._missing = 0
        self._begin: tuple[Began, LogState] | None = None
        self._says = False
        self._wants_leader = False
        self._recent: dict[int, str] = {}
        self._ahead: dict[int, Entry] = {}

    def resume(self, created: str, history: str, applied: int, stamp: str) -> None:
        """Go on after what was read before a restart."""
        assert not self.history, "resumed twice"
        self.created, self.history, self.applied, self.stamp = created, history, applied, stamp
        self._recent[applied] = stamp

    @property
    def is_following(self) -> bool:
        """Whether what comes next in order may be read: the log is known to be the one that was read so far."""
        return self._is_checked and self._begin is None

    @property
    def is_caught_up(self) -> bool:
        """Whether all that is known to be in the log was read."""
        return self.is_following and not self.suspended and self.head <= self.applied

    # -- what to ask --

    def look(self) -> None:
        """It is time to ask the log how far it goes."""
        self._wants_state = True

    def next(self) -> Ask:
        """What to ask now. It is asked again until the answer was given to the method for it."""
        if self._wants_state:
            return AskState(is_again=self._pauses)
        if self._begin is not None:
            return self._new_history() if self._says else AskHistory()
        if not self._is_checked:
            return AskAnchor(self.applied)
        if self._wants_leader:
            return AskLeader(self.applied + 1)
        if self.head > self.applied:
            return AskBatch(self.applied if self.stamp else self.applied + 1)
        return Rest()

    def asking_state(self) -> int:
        """AskState is being sent now; what to give to `state` with the answer."""
        self._wants_state = self._pauses = False
        return self.applied

    def _new_history(self) -> SayHistory:
        seen = f"{self.created} {self.history} {self.applied} {self.stamp}"
        history = natural_history(seen)
        return SayHistory(history, f"history-{history}")

    # -- what came --

    def connected(self) -> None:
        """A connection was made: nothing is known of what happened in between."""
        self._is_checked = False
        self._wants_state, self._pauses = True, False
        self._wants_leader = False
        self._missing = 0
        self._ahead.clear()

    def live(self, entry: Entry) -> list[Result]:
        """A message came by itself."""
        if entry.seq == self.applied + 1 and self.is_following:
            results: list[Result] = [self._read(entry)]
            if self._ahead:
                self._read_ahead(results)
            return results
        if entry.seq > self.applied:
            if len(self._ahead) < MAX_AHEAD:
                self._ahead[entry.seq] = entry
            self.head = max(self.head, entry.seq)
        elif self.is_following and self._recent.get(entry.seq) != entry.stamp:
            self._contradicted(is_known=entry.seq in self._recent)
        return []

    def state(self, said: LogState, asked_at: int) -> None:
        """The answer to AskState. asked_at: what `asking_state` gave."""
        if said.created != self.created:
            self._begin = (Began.RECREATED if self.created else Began.NEW, said)
            self._doubts = 0
            return
        if self._begin is not None:
            return
        self.head = max(said.last, self.applied, *self._ahead)
        if said.last < asked_at:
            self._doubts += 1
            self._believe_or_look_again(self._doubts, said)
            return
        self._doubts = 0
        if said.leader != self._leader:
            self._leader, self._is_checked = said.leader, False
        if (
            said.last == self.applied
            and "" not in {said.last_stamp, self.stamp}
            and said.last_stamp != self.stamp
        ):
            self._contradicted(is_known=True)
            self._wants_state = False  # it was just asked for: now the anchor
        if said.first <= self.applied:
            return
        if self.suspended:
            self._rewound(said)  # the anchor has expired, and cannot speak against what was seen
        elif said.first > self.applied + 1:
            self._begin = (Began.EXPIRED, said)
        else:
            self._is_checked = True  # the anchor has expired, but nothing after it

    def anchor(self, stamp: str | None) -> list[Result]:
        """The answer to AskAnchor: the time stamp of that message, None = there is none."""
        results: list[Result] = []
        if self._is_checked or self._begin is not None:
            return results
        said = LogState(self.created, 0, 0, self._leader)
        if stamp is None and self.stamp:
            self._missing += 1
            self._believe_or_look_again(self._missing, said)
        elif stamp is not None and self.stamp not in {"", stamp}:
            self._rewound(said)
        else:
            self._missing = 0
            self._is_checked, self.suspended, self.stamp = True, False, stamp or ""
            if stamp is not None:
                self._recent[self.applied] = stamp
            self._read_ahead(results)
        return results

    def last_history(self, entry: Entry | None) -> list[Result]:
        """The answer to AskHistory; None = there is none in the log."""
        if self._begin is None:
            return []
        because, said = self._begin
        found = None if entry is None else history_in(entry.data)
        if because is Began.REWOUND:
            if entry is not None and found is not None and self._is_after_us(found, entry.stamp):
                return self._begin_at(found, entry.seq, entry.stamp, because, said)
            self._says = True
            return []
        if entry is not None and found is not None:
            is_last = entry.seq >= said.last
            return self._begin_at(
                found, max(said.last, entry.seq), entry.stamp if is_last else "", because, said
            )
        return self._begin_at(natural_history(said.created), said.last, "", because, said)

    def _is_after_us(self, history: str, stamp: str) -> bool:
        """Whether a NewHistory speaks of what we have found: ours does, and what is newer than what we read last."""
        return history != self.history and (history == self._new_history().history or stamp > self.stamp)

    def history_said(self) -> None:
        """SayHistory was acknowledged; now it is to be found in the log."""
        self._says = False

    def fetched(self, entries: Iterable[Entry]) -> Iterator[Result]:
        """The answer to AskBatch, in order. To be used up; live messages may come in between."""
        before = self.applied
        for entry in entries:
            if not self.is_following:
                return
            if entry.seq == self.applied + 1:
                yield self._read(entry)
            elif entry.seq > self.applied:
                break
            elif self._recent.get(entry.seq, entry.stamp) != entry.stamp:
                self._contradicted(is_known=True)
                return
        results: list[Result] = []
        self._read_ahead(results)
        yield from results
        if self.applied == before and self.head > self.applied:
            self._wants_leader = True

    def leader_has(self, entry: Entry | None) -> list[Result]:
        """The answer to AskLeader; None = there is nothing from there on."""
        self._wants_leader = False
        results: list[Result] = []
        if not self.is_following:
            return results
        if entry is None:
            self.head = self.applied
            self._ahead.clear()
            self._wants_state = self._pauses = True
        elif entry.seq > self.applied:
            if entry.seq > self.applied + 1:
                self.applied, self.stamp = entry.seq - 1, ""  # the one read below is known again
                results.append(Begin(self.history, self.applied, Began.HOLE))
            results.append(self._read(entry))
            self._read_ahead(results)
        return results

    # -- steps --

    def _read(self, entry: Entry) -> Result:
        assert entry.seq == self.applied + 1, f"{entry.seq} after {self.applied}"
        self.applied, self.stamp = entry.seq, entry.stamp
        self._recent[entry.seq] = entry.stamp
        self._recent.pop(entry.seq - RECENT, None)
        self.head = max(self.head, entry.seq)
        try:
            message = decode(entry.data)
        except BadMessage as error:
            return ReadOther(entry.seq, fault=str(error)[:200])
        if isinstance(message, PurgeOrder):
            return ReadOrder(entry.seq, message)
        if isinstance(message, Tick):
            return ReadOther(entry.seq, message)
        assert isinstance(message, NewHistory), f"no message of the log: {message}"
        if message.history == self.history:
            return ReadOther(entry.seq)
        self.history = message.history
        return Begin(message.history, entry.seq, Began.REWOUND)

    def _read_ahead(self, results: list[Result]) -> None:
        """What came early and is next now."""
        while self._ahead and self.is_following:
            entry = self._ahead.pop(self.applied + 1, None)
            if entry is None:
                break
            results.append(self._read(entry))
        if self._ahead and min(self._ahead) <= self.applied:
            self._ahead = {seq: entry for seq, entry in self._ahead.items() if seq > self.applied}

    def _contradicted(self, *, is_known: bool) -> None:
        """Another message has a number that was read: numbers are given twice. is_known: we remember what was read."""
        self.suspended = self.suspended or is_known
        self._is_checked = False
        self._wants_state = True

    def _believe_or_look_again(self, times: int, said: LogState) -> None:
        if times >= MAX_DOUBTS:
            self._rewound(said)
        else:
            self._wants_state = self._pauses = True

    def _rewound(self, said: LogState) -> None:
        self.rewinds += 1
        self.suspended = True
        self._doubts = self._missing = 0
        self._says = False
        self._ahead.clear()
        self._begin = (Began.REWOUND, said)

    def _begin_at(self, history: str, seq: int, stamp: str, because: Began, said: LogState) -> list[Result]:
        self.created, self.history, self.applied, self.stamp = said.created, history, seq, stamp
        self._leader = said.leader
        self._recent.clear()
        if stamp:
            self._recent[seq] = stamp
        self._begin = None
        self._is_checked = bool(stamp) or seq == 0
        self.suspended = False
        self._ahead = {at: entry for at, entry in self._ahead.items() if at > seq}
        self.head = max(seq, *self._ahead) if self._ahead else seq
        results: list[Result] = [Begin(history, seq, because)]
        self._read_ahead(results)
        return results
