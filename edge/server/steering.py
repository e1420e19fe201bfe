"""Where the kernel sends new connections: away from a worker that is about to be replaced.

Owns: `Steering`. The sockets of one address are a SO_REUSEPORT group, over which the kernel spreads connections by a hash. A
small classic BPF program in its place chooses at random among all members but one; who is connected, or waits to be accepted,
stays where he is. Rules:
* The program names members by their place in the group, so that is followed here: the kernel counts in the order of
  `listen`, and puts the last one into the place of one that is closed.
* A group that changes is given another program at once: one that counts wrongly would spare somebody else.
* Where it cannot be done (another system, one worker) nothing is lost: who comes waits in the backlog for the successor.
Linux 4.6 has the programs, Linux 5.3 takes them off again; before that, one that chooses among all takes its place.
"""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from edge.server import sockets

ATTACH_REUSEPORT_CBPF = 51
DETACH_REUSEPORT_BPF = 68
"""SO_...; asm-generic/socket.h. Python's socket module has no names for them."""

_LOAD_WORD, _MODULO, _JUMP_UNLESS_REACHED, _ADD, _RETURN = 0x20, 0x94, 0x35, 0x04, 0x16
_RANDOM = 0xFFFFF000 + 56
"""SKF_AD_OFF + SKF_AD_RANDOM: a load from there is a random number."""

_log = logging.getLogger("perigee.supervisor")


def program(size: int, spared: int | None) -> bytes:
    """The place of a member of a group of `size`, at random, but never `spared`; None = of all. linux/filter.h."""
    assert spared is None or (size > 1 and 0 <= spared < size), "nobody would be left"
    steps = [(_LOAD_WORD, 0, 0, _RANDOM), (_MODULO, 0, 0, size if spared is None else size - 1)]
    if spared is not None:
        steps += [(_JUMP_UNLESS_REACHED, 0, 1, spared), (_ADD, 0, 0, 1)]
    steps.append((_RETURN, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


class Places:
    """The members of one group in the kernel's order, by the worker they are of."""

    def __init__(self, count: int) -> None:
        self.of = list(range(count))

    def left(self, worker: int) -> None:
        """Its socket was closed."""
        if worker in self.of:
            place = self.of.index(worker)
            last = self.of.pop()
            if place < len(self.of):
                self.of[place] = last

    def joined(self, worker: int) -> None:
        """It has a new one."""
        self.of.append(worker)

    def can_spare(self, worker: int) -> bool:
        """Whether it is there, and others are."""
        return worker in self.of and len(self.of) > 1


class Steering:
    """Of all groups of a node. count: of workers, each of which has one socket in each group, bound in their order."""

    def __init__(self, count: int, groups: int) -> None:
        self._places = [Places(count) for _ in range(groups)]
        self._members: dict[int, Sequence[socket.socket]] = {}
        self._spared: int | None = None

    def holds(self, worker: int, held: Sequence[socket.socket]) -> None:
        """Its sockets, one of each group: the sequence that its keeper has, which may grow empty."""
        self._members[worker] = held

    def left(self, worker: int) -> None:
        """Its sockets were closed."""
        for places in self._places:
            places.left(worker)
        self._steer_anew()

    def joined(self, worker: int, group: int) -> None:
        """It listens again in this group."""
        self._places[group].joined(worker)
        self._steer_anew()

    def away(self, worker: int) -> bool:
        """New connections go to the others from now on, also when sockets come and go. False = they cannot be made to."""
        if not sockets.SPREADS or not all(places.can_spare(worker) for places in self._places):
            self.back()
            return False
        self._spared = worker
        self._steer_anew()
        return self._spared is not None

    def back(self) -> None:
        """They go to all again."""
        if self._spared is not None:
            self._spared = None
            for group in range(len(self._places)):
                self._steer_no_more(group)

    def _steer_anew(self) -> None:
        worker = self._spared
        if worker is None:
            return
        for group, places in enumerate(self._places):
            member = self._member(group)
            if member is None or not places.can_spare(worker):
                self._steer_no_more(group)
                continue
            try:
                _attach(member, program(len(places.of), places.of.index(worker)))
            except OSError as error:
                _log.warning("connections cannot be steered", extra={"error": error.strerror or str(error)})
                self.back()
                return

    def _steer_no_more(self, group: int) -> None:
        member = self._member(group)
        if member is None:
            return  # the node ends
        try:
            member.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
        except FileNotFoundError:
            return  # there is no program
        except OSError:
            _log.debug("the kernel keeps its program; it is given one that spares nobody")
            with suppress(OSError):
                _attach(member, program(len(self._places[group].of), None))

    def _member(self, group: int) -> socket.socket | None:
        """Any of them: what is set on one is set for the group. None = all are closed."""
        open_ones = (
            held[group] for held in self._members.values() if len(held) > group and held[group].fileno() >= 0
        )
        return next(open_ones, None)


def _attach(sock: socket.socket, code: bytes) -> None:
    steps = ctypes.create_string_buffer(code, len(code))
    said = struct.pack("HP", len(code) // struct.calcsize("=HBBI"), ctypes.addressof(steps))
    sock.setsockopt(socket.SOL_SOCKET, ATTACH_REUSEPORT_CBPF, said)
