"""Certificates, keys and the secrets of tickets: what the supervisor does for its workers' TLS.

Owns: `Certifying`. Rules: it alone reads them, in threads, at a start, at SIGHUP, and within seconds of a changed stamp. What
just changed may be half written, so it is read when a second look finds it unchanged. At a start everything must be good. Later
a certificate that is bad leaves the former one in force: that is said in the log, counted, and shown by /readyz until a good
one comes. Workers get what was found good by the line between processes: keys are on no disk but where they were put.
Secrets of tickets are made here, are changed every `tls.tickets`, and are given out only where a trial in a process of its own
said that they are of use. docs/why/012 says why.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edge.clock import Clock
from edge.errors import EdgeError
from edge.server.orders import Order, Seal
from edge.server.worker_process import launched
from edge.server.worker_tls import certify
from edge.settings.machine import fault_of_authorities
from edge.settings.node import NodeSettings
from edge.settings.problems import Problem, SettingsFault
from edge.settings.reload import MAX_LOGGED, Settling, Stamps, stamps
from edge.tls.contexts import Materials, authorities_of, trust
from edge.tls.layout import FileFault
from edge.tls.measures import CertificateMeasures
from edge.tls.pairs import in_force, list_folder, read_folder
from edge.tls.tickets import SECRET_BYTES, TicketSecrets

PERIOD_SECONDS = 2.0
"""Between two looks: a stat of each file, some 2 us in a thread."""
TRIAL_SECONDS = 20.0
NEVER_SECONDS = 365 * 86400.0

_log = logging.getLogger("perigee.tls")


@dataclass(frozen=True, slots=True)
class Read:
    """What one reading found. seen: the stamps before it."""

    materials: Materials
    faults: Sequence[FileFault]
    seen: Stamps


class Certifying:
    """See the module. settings: those in force, with `tls.listen`. tell: every worker that there is."""

    def __init__(
        self,
        settings: Callable[[], NodeSettings],
        tell: Callable[[Order], None],
        clock: Clock,
        measures: CertificateMeasures,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._measures = measures
        self._in_force = Read(Materials(), (), {})
        self._prepared: Read | None = None
        self._settling = Settling({})
        self._asked = asyncio.Event()
        self._secrets: TicketSecrets | None = None
        self._sealed_at = 0.0
        measures.earliest.source = self._earliest

    async def start(self) -> None:
        """Read everything, and find out about tickets. EdgeError when anything is wrong."""
        settings = self._settings()
        read = await asyncio.to_thread(self._read, settings)
        if not read.faults:
            read = _with_default(read, settings)
        if read.faults:
            raise EdgeError("\n".join(str(fault) for fault in read.faults[:MAX_LOGGED]))
        self._take(read)
        if settings.tls.tickets is not None:
            if await _tickets_can_be_shared():
                self._secrets = TicketSecrets(secrets.token_bytes(SECRET_BYTES))
                self._sealed_at = self._clock.mono()
            else:
                _log.warning(
                    "session tickets cannot be shared with this Python and OpenSSL: a client resumes at one worker only"
                )

    async def run(self) -> None:
        """Look for ever."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), PERIOD_SECONDS)
            await self.look()
            self._rotate()

    def request(self) -> None:
        """Read everything anew now, changed or not: what SIGHUP does."""
        self._asked.set()

    async def look(self) -> None:
        """One look at the files."""
        asked = self._asked.is_set()
        self._asked.clear()
        settings = self._settings()
        now = await asyncio.to_thread(_stamps, settings)
        self._settling.seen = self._in_force.seen  # a reload may have brought it
        if self._settling.is_due(now, asked=asked):
            before = self._in_force
            read = await asyncio.to_thread(lambda: _with_default(self._read(settings), settings))
            if self._in_force is before and settings is self._settings():  # else a reload overtook it
                self._take(read)
                self._say(before, read)

    # -- with new settings: `prepare` in a thread, then `apply` --

    def prepare(self, settings: NodeSettings) -> None:
        """Whether settings can be in force, and what they need. Blocks. SettingsFault when they cannot."""
        read = self._read(settings)
        if all(fault.name is not None for fault in read.faults):
            read = _with_default(read, settings)
        wrong = [fault for fault in read.faults if fault.name is None]
        if wrong:
            file = str(settings.file)
            raise SettingsFault(Problem(file, None, "tls", str(fault), "") for fault in wrong)
        self._prepared = read

    def apply(self) -> None:
        """What was prepared is in force, with the settings that workers hear of next."""
        assert self._prepared is not None, "settings in force that nobody prepared for"
        before, read = self._in_force, self._prepared
        self._prepared = None
        self._take(read, at_once=False)
        if (before.materials, before.faults) != (read.materials, read.faults):
            self._say(before, read)

    # -- for workers and people --

    def greeting(self) -> list[Order]:
        """What a new worker is told."""
        return [*self._seal(), *certify(self._in_force.materials, at_once=True)]

    def described(self) -> Mapping[str, object]:
        """For /readyz."""
        faults = self._in_force.faults
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return {
            "in_force": len(self._in_force.materials.pairs),
            "complaint": f"former certificates are in force: {faults[0]}{more}" if faults else None,
            "earliest_expiry_seconds": round(self._earliest()),
            "tickets": "shared" if self._secrets is not None else "of each worker",
        }

    # -- inside --

    def _read(self, settings: NodeSettings) -> Read:
        seen = _stamps(settings)
        folder = settings.tls.certificates
        assert folder is not None, "TLS without a folder"
        found, faults = read_folder(folder)
        former = self._in_force.materials
        pairs, bad = in_force(found, former.pairs, faults, self._clock.now())
        wrong = [replace(fault, file=str(folder / fault.file)) for fault in bad]
        if not pairs and not wrong:
            wrong.append(
                FileFault(str(folder), "there is no certificate in it", "put one there, with its key")
            )
            pairs = list(former.pairs)
        authorities: dict[str, bytes] = {}
        for file in authorities_of(settings.tls, settings.sites):
            content = _authorities(file)
            if isinstance(content, FileFault):
                wrong.append(content)
                content = former.authorities.get(file, b"")
            authorities[file] = content
        return Read(Materials(pairs, authorities), wrong, seen)

    def _take(self, read: Read, *, at_once: bool = True) -> None:
        changed = read.materials != self._in_force.materials
        self._in_force = read
        if changed:
            for order in certify(read.materials, at_once=at_once):
                self._tell(order)
        self._measure()

    def _say(self, before: Read, read: Read) -> None:
        self._measures.reloads.of("refused" if read.faults else "taken").value += 1
        old = {pair.material for pair in before.materials.pairs}
        new = [pair.name for pair in read.materials.pairs if pair.material not in old]
        gone = {pair.name for pair in before.materials.pairs} - {p.name for p in read.materials.pairs}
        if new or gone:
            said = {"new": ", ".join(new[:MAX_LOGGED]), "gone": ", ".join(sorted(gone)[:MAX_LOGGED])}
            _log.info("certificates taken", extra=said)
        for fault in read.faults[:MAX_LOGGED]:
            _log.error("bad certificate; the former one stays in force", extra={"fault": str(fault)})

    def _measure(self) -> None:
        """What is in force. How long yet is worked out when somebody asks."""
        expiry, pairs = self._measures.expiry, self._in_force.materials.pairs
        for gone in set(expiry.cells) - {(pair.name,) for pair in pairs}:
            del expiry.cells[gone]
        for pair in pairs:
            expiry.of(pair.name).source = partial(self._until, pair.expires)
        self._measures.faults.value = len(self._in_force.faults)

    def _until(self, expires: float) -> float:
        return expires - self._clock.now()

    def _earliest(self) -> float:
        ends = (pair.expires for pair in self._in_force.materials.pairs)
        return self._until(min(ends, default=self._clock.now() + NEVER_SECONDS))

    def _seal(self) -> list[Order]:
        if self._secrets is None:
            return []
        former = self._secrets.former
        return [Seal(self._secrets.current.hex(), "" if former is None else former.hex())]

    def _rotate(self) -> None:
        period = self._settings().tls.tickets
        if self._secrets is None or period is None or self._clock.mono() - self._sealed_at < period:
            return
        self._secrets = TicketSecrets(secrets.token_bytes(SECRET_BYTES), self._secrets.current)
        self._sealed_at = self._clock.mono()
        for order in self._seal():
            self._tell(order)


def _with_default(read: Read, settings: NodeSettings) -> Read:
    """A default that no certificate has is a fault."""
    default = settings.tls.default
    if default is None or read.materials.names().find(default) is not None:
        return read
    wrong = f"no certificate is for {default.decode()}, which tls.default names"
    fault = FileFault(
        str(settings.tls.certificates), wrong, 'put one there, or write another name or "refuse"'
    )
    return replace(read, faults=(*read.faults, fault))


def _stamps(settings: NodeSettings) -> Stamps:
    folder = settings.tls.certificates
    files = [Path(file) for file in authorities_of(settings.tls, settings.sites)]
    with suppress(OSError):
        files += [] if folder is None else list_folder(folder)
    return stamps(files)


def _authorities(file: str) -> bytes | FileFault:
    """A file of authorities, which OpenSSL takes."""
    try:
        content = Path(file).read_bytes()
        trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), content)
    except (OSError, ValueError) as error:  # ValueError: nothing is in it
        fault = fault_of_authorities("it", error)
        return FileFault(file, fault.wrong, fault.instead)
    return content


async def _tickets_can_be_shared() -> bool:
    """What `edge.tls.ticket_trial` says, in a process that may end as it likes."""
    unheard = asyncio.subprocess.DEVNULL
    trial = await launched("edge.tls.ticket_trial", stdout=unheard, stderr=unheard)
    try:
        return await asyncio.wait_for(trial.wait(), TRIAL_SECONDS) == 0
    except TimeoutError:
        trial.kill()
        await trial.wait()
        return False
