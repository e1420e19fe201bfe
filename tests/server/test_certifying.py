"""What the supervisor does with certificates: everything good at a start, the former ones in force later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.measures import Measures
from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, TlsRules
from edge.server.certifying import Certifying
from edge.server.orders import Certify, Order, Seal
from edge.server.worker_tls import WorkerTls
from edge.settings.node import NodeSettings, TlsSettings
from edge.settings.problems import SettingsFault
from edge.settings.sites import SiteTable
from edge.tls.contexts import Slot
from edge.tls.measures import CertificateMeasures
from edge.wire.client_hello import ClientHello
from tests.kit.certificates import Authority
from tests.kit.clock import ManualClock

DAY = 86400.0
QUIET = TlsSettings(tickets=None)
"""No trial of tickets, which takes a process."""


class Desk:
    """A `Certifying` with what it told workers. settings may be replaced."""

    def __init__(self, folder: Path, settings: TlsSettings = QUIET, sites: Sequence[SiteRules] = ()) -> None:
        tls = replace(settings, certificates=folder)
        self.settings = NodeSettings(tls=tls, sites=SiteTable(sites))
        self.told: list[Order] = []
        self.clock = ManualClock()
        self.measures = CertificateMeasures(Measures().registry)
        self.certifying = Certifying(lambda: self.settings, self.told.append, self.clock, self.measures)

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.certifying.look()

    @property
    def complaint(self) -> object:
        return self.certifying.described()["complaint"]

    def names(self) -> list[str]:
        """Of the certificates that workers were told of last."""
        orders = [order for order in self.told if isinstance(order, Certify)]
        return [pair[0] for pair in orders[-1].pairs]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "certs"


def at(clock: ManualClock, seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(clock.now() + seconds, dt.UTC)


async def test_a_start_reads_all_and_a_worker_is_greeted_with_it(authority: Authority, folder: Path):
    authority.put(folder, "a", "a.test")
    authority.put(folder / "b", "x", "b.test")
    desk = Desk(folder, TlsSettings())
    await desk.certifying.start()
    seal, certify = desk.certifying.greeting()
    assert isinstance(seal, Seal) and isinstance(certify, Certify)
    assert [pair[0] for pair in certify.pairs] == ["a", "b/x"] and certify.at_once
    assert desk.certifying.described()["tickets"] == "shared"
    assert desk.complaint is None


async def test_a_start_tells_everything_that_is_wrong_with_its_remedy(authority: Authority, folder: Path):
    authority.put(folder, "a", "a.test")
    authority.put(folder, "b", "a.test")
    authority.put(folder, "old", "old.test", end=at(ManualClock(), -DAY))
    (folder / "a.key").write_bytes((folder / "b.key").read_bytes())
    (folder / "lonely.crt").write_bytes(authority.file.read_bytes())
    with pytest.raises(EdgeError) as fault:
        await Desk(folder).certifying.start()
    lines = fault.value.detail.splitlines()
    assert [line.partition(":")[0].removeprefix(f"{folder}/") for line in lines] == [
        "lonely.crt",
        "a.crt",
        "old.crt",
    ]
    assert all(";" in line for line in lines)


@pytest.mark.parametrize("what", ["nothing", "no folder", "two of one name", "an unknown default"])
async def test_a_start_without_what_is_needed_fails(authority: Authority, folder: Path, what: str):
    settings = QUIET
    if what != "no folder":
        folder.mkdir()
    if what == "two of one name":
        authority.put(folder, "a", "a.test")
        authority.put(folder, "b", "b.test", "a.test")
    if what == "an unknown default":
        authority.put(folder, "a", "a.test")
        settings = TlsSettings(default=b"b.test")
    said = {
        "nothing": "there is no certificate in it",
        "no folder": "cannot be read",
        "two of one name": "a.test is a name of a.crt already",
        "an unknown default": "no certificate is for b.test",
    }
    with pytest.raises(EdgeError, match=said[what]):
        await Desk(folder, settings).certifying.start()


async def test_a_renewed_one_is_taken_when_a_second_look_finds_it_at_rest(authority: Authority, folder: Path):
    authority.put(folder, "a", "a.test")
    desk = Desk(folder)
    await desk.certifying.start()
    before = len(desk.told)
    await desk.look(3)
    assert len(desk.told) == before
    authority.put(folder, "a", "a.test", "aa.test")
    authority.put(folder, "b", "b.test")
    await desk.look()
    assert len(desk.told) == before
    await desk.look()
    assert desk.names() == ["a", "b"]
    assert desk.measures.reloads.of("taken").value == 1
    authority.put(folder, "c", "c.test")
    desk.certifying.request()
    await desk.look()
    assert desk.names() == ["a", "b", "c"]


async def test_a_bad_one_leaves_the_former_in_force_and_is_told_until_it_is_good(
    authority: Authority, folder: Path
):
    authority.put(folder, "a", "a.test")
    desk = Desk(folder)
    await desk.certifying.start()
    (former,) = [order for order in desk.certifying.greeting() if isinstance(order, Certify)]
    (folder / "a.key").write_bytes(authority.pair("a.test")[1])
    desk.certifying.request()
    await desk.look()
    assert desk.certifying.greeting()[-1] == former
    assert "a.crt: the key beside it is that of another certificate" in str(desk.complaint)
    assert desk.measures.reloads.of("refused").value == 1
    assert desk.measures.faults.value == 1
    authority.put(folder, "a", "a.test")
    desk.certifying.request()
    await desk.look()
    assert desk.complaint is None and desk.measures.faults.value == 0
    assert desk.certifying.greeting()[-1] != former


async def test_the_time_until_the_end_is_shown_and_goes_below_zero(authority: Authority, folder: Path):
    clock = ManualClock()
    authority.put(folder, "a", "a.test", end=at(clock, 10 * DAY))
    authority.put(folder, "b", "b.test", end=at(clock, 20 * DAY))
    desk = Desk(folder)
    await desk.certifying.start()
    assert desk.measures.expiry.of("a").read() == pytest.approx(10 * DAY, abs=2)
    assert desk.measures.earliest.read() == pytest.approx(10 * DAY, abs=2)
    desk.clock.advance(11 * DAY)
    await desk.look()
    assert desk.measures.expiry.of("a").read() == pytest.approx(-DAY, abs=2)
    assert desk.complaint is None
    (folder / "a.crt").unlink()
    (folder / "a.key").unlink()
    await desk.look(2)
    assert set(desk.measures.expiry.cells) == {("b",)}
    assert desk.measures.earliest.read() == pytest.approx(9 * DAY, abs=2)


async def test_secrets_of_tickets_change_and_the_former_is_told_too(authority: Authority, folder: Path):
    authority.put(folder, "a", "a.test")
    desk = Desk(folder, TlsSettings(tickets=3600.0))
    await desk.certifying.start()
    first = desk.certifying.greeting()[0]
    assert isinstance(first, Seal) and first.former == ""
    desk.certifying._rotate()
    assert not [order for order in desk.told if isinstance(order, Seal)]
    desk.clock.advance(3601)
    desk.certifying._rotate()
    (second,) = [order for order in desk.told if isinstance(order, Seal)]
    assert second.former == first.current != second.current
    assert first.current not in repr(second)


async def test_without_tickets_there_are_no_secrets(authority: Authority, folder: Path):
    authority.put(folder, "a", "a.test")
    desk = Desk(folder)
    await desk.certifying.start()
    assert [type(order) for order in desk.certifying.greeting()] == [Certify]


def asking(file: Path) -> SiteRules:
    return SiteRules(tls=TlsRules(client=ClientPolicy(ClientAuth.REQUIRED, str(file))))


async def test_new_settings_are_refused_whose_authorities_cannot_be_used(
    authority: Authority, folder: Path, tmp_path: Path
):
    authority.put(folder, "a", "a.test")
    desk = Desk(folder)
    await desk.certifying.start()
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    for file, wrong in ((tmp_path / "nowhere.pem", "cannot be read"), (bad, "no certificate in it")):
        with pytest.raises(SettingsFault, match=wrong):
            desk.certifying.prepare(replace(desk.settings, sites=SiteTable([asking(file)])))
    with pytest.raises(SettingsFault, match="no certificate is for b.test"):
        tls = replace(desk.settings.tls, default=b"b.test")
        desk.certifying.prepare(replace(desk.settings, tls=tls))
    with pytest.raises(SettingsFault, match="cannot be read"):
        tls = replace(desk.settings.tls, certificates=tmp_path / "nowhere")
        desk.certifying.prepare(replace(desk.settings, tls=tls))


async def test_new_settings_bring_what_they_need_before_workers_hear_of_them(
    authority: Authority, folder: Path
):
    authority.put(folder, "a", "a.test")
    desk = Desk(folder)
    await desk.certifying.start()
    desk.settings = replace(desk.settings, sites=SiteTable([asking(authority.file)]))
    desk.certifying.prepare(desk.settings)
    desk.certifying.apply()
    order = desk.told[-1]
    assert isinstance(order, Certify) and not order.at_once
    assert order.authorities == [[str(authority.file), authority.file.read_text()]]
    assert desk.measures.reloads.of("taken").value == 1
    before = len(desk.told)
    desk.certifying.prepare(desk.settings)
    desk.certifying.apply()
    assert len(desk.told) == before, "they have all that the next settings need"
    assert desk.measures.reloads.of("taken").value == 1


async def test_authorities_that_were_changed_are_taken_and_bad_ones_are_not(
    authority: Authority, folder: Path, tmp_path: Path
):
    authority.put(folder, "a", "a.test")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.file.read_bytes())
    desk = Desk(folder, sites=[asking(ca_file)])
    await desk.certifying.start()
    ca_file.write_text("nothing")
    desk.certifying.request()
    await desk.look()
    assert "ca.pem: it has no certificate in it" in str(desk.complaint)
    both = authority.file.read_bytes() * 2
    ca_file.write_bytes(both)
    desk.certifying.request()
    await desk.look()
    assert desk.complaint is None
    order = desk.told[-1]
    assert isinstance(order, Certify) and order.authorities == [[str(ca_file), both.decode()]]


EMPTY = (b"", "\u00e9\u00e9".encode(), b"-----BEGIN CERTIFICATE-----\n\xff\n-----END CERTIFICATE-----\n")


@pytest.mark.parametrize("content", EMPTY, ids=["nothing", "no ASCII", "damaged"])
async def test_a_file_without_authorities_is_said_at_a_start_at_a_look_and_at_a_reload(
    authority: Authority, folder: Path, tmp_path: Path, content: bytes
):
    authority.put(folder, "a", "a.test")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(content)
    desk = Desk(folder, sites=[asking(ca_file)])
    with pytest.raises(EdgeError, match=r"ca\.pem: it has no certificate in it"):
        await desk.certifying.start()
    ca_file.write_bytes(authority.file.read_bytes())
    await desk.certifying.start()
    ca_file.write_bytes(content)
    desk.certifying.request()
    await desk.look()
    assert "ca.pem: it has no certificate in it" in str(desk.complaint)
    with pytest.raises(SettingsFault, match="no certificate in it"):
        desk.certifying.prepare(desk.settings)


async def test_authorities_may_be_told_of_in_any_language(authority: Authority, folder: Path, tmp_path: Path):
    """What stands between certificates is a comment, and is often a name that is not ASCII."""
    authority.put(folder, "a", "a.test")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes("# Autorit\u00e9\n".encode() + authority.file.read_bytes())
    desk = Desk(folder, sites=[asking(ca_file)])
    await desk.certifying.start()
    worker = WorkerTls(Measures().registry)
    for order in desk.certifying.greeting():
        assert isinstance(order, Certify) and worker.certify(order)
    await worker.renew(desk.settings)
    chosen = worker.contexts().choose(ClientHello(b"a.test"))
    assert isinstance(chosen, Slot)
    assert len(chosen.context.get_ca_certs()) == 1
