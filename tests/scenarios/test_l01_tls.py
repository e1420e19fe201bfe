"""l01: TLS towards clients, with real processes: certificates that change under load, tickets of all workers, mutual TLS."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
from base64 import b64encode
from functools import partial
from pathlib import Path

import pytest

from tests.kit.answer import Answer
from tests.kit.certificates import Authority
from tests.kit.client import RawClient
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.tls import Visit, visit
from tests.kit.waiting import until
from tests.kit.world import EdgeDied, World
from tools.ports import free_ports

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

FRESH = {"Cache-Control": "max-age=600"}


class Secure:
    """A world that speaks TLS, and its authority. tls, sites: TOML."""

    def __init__(
        self, directory: Path, origin: ScriptedOrigin, *, tls: str = "", sites: str = "", workers: int = 1
    ) -> None:
        self.authority = Authority.make(directory)
        self.folder = directory / "certs"
        (self.port,) = free_ports(1)
        node = f'[tls]\nlisten = "127.0.0.1:{self.port}"\ncertificates = "certs"\n{tls}\n'
        sites = sites or f'[[site]]\nhostnames = ["*"]\norigins = ["{origin.url}"]\n'
        self.world = World(directory, origin=None, config=node + sites, workers=workers)

    async def get(
        self, name: str, target: str, *, host: str | None = None, context: ssl.SSLContext | None = None
    ) -> Answer:
        """GET on a connection of its own. name: in the handshake. host: in the request, None = the same."""
        context = self.authority.client() if context is None else context
        client = await RawClient.connect("127.0.0.1", self.port, tls=context, server_name=name)
        async with client:
            return await client.get(target, {"Host": host or name})

    def shown(self, name: str) -> bytes:
        """The certificate that a client gets, DER."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with self.authority.client().wrap_socket(raw, server_hostname=name) as client:
            found = client.getpeercert(binary_form=True)
            assert found is not None
            return found

    def written(self, name: str) -> bytes:
        """The one that lies in the folder."""
        return ssl.PEM_cert_to_DER_cert((self.folder / f"{name}.crt").read_text())


async def test_a_hit_over_tls_by_any_client(origin: ScriptedOrigin, tmp_path: Path) -> None:
    origin.on("/l01/a", Canned(200, FRESH, b"here" * 1000))
    site = f'[[site]]\nhostnames = ["*"]\norigins = ["{origin.url}"]\n[site.tls]\nhsts = "1h"\nredirect = "308"\n'
    secure = Secure(tmp_path, origin, sites=site)
    secure.authority.put(secure.folder, "a", "a.test", "*.b.test")
    async with secure.world as world:
        for name in ("a.test", "www.b.test"):
            for _ in range(2):
                answer = await secure.get(name, "/l01/a")
                assert (answer.status, answer.body) == (200, b"here" * 1000)
                assert answer.header("Strict-Transport-Security") == b"max-age=3600"
        sent = await world.get("/l01/a", {"Host": "a.test"})
        assert (sent.status, sent.header("Location")) == (308, b"https://a.test/l01/a")
        assert len(origin.seen("/l01/a")) == 2
        assert await world.metric("perigee_tls_handshakes_total", {"outcome": "full"}) == 4
        if (curl := shutil.which("curl")) is not None:
            for versions in (["--tls-max", "1.2"], ["--tlsv1.3"]):
                process = await asyncio.create_subprocess_exec(
                    *(curl, "-s", "--cacert", str(secure.authority.file), *versions),
                    *("--resolve", f"a.test:{secure.port}:127.0.0.1"),
                    f"https://a.test:{secure.port}/l01/a",
                    stdout=asyncio.subprocess.PIPE,
                )
                said, _ = await process.communicate()
                assert said == b"here" * 1000


async def test_a_session_is_resumed_at_every_worker(origin: ScriptedOrigin, tmp_path: Path) -> None:
    origin.on("/l01/r", Canned(200, FRESH, b"here"))
    secure = Secure(tmp_path, origin, workers=2)
    secure.authority.put(secure.folder, "a", "a.test")
    context = secure.authority.client()

    async def resumed(session: ssl.SSLSession | None = None) -> Visit:
        visited = await asyncio.to_thread(visit, secure.port, context, "a.test", "/l01/r", session)
        assert visited.said.endswith(b"here")
        assert visited.was_resumed is (session is not None)
        return visited

    async with secure.world as world:
        session = (await resumed()).session
        assert session is not None
        for _ in range(24):
            await resumed(session)
        assert await world.metric("perigee_tls_handshakes_total", {"outcome": "resumed"}) == 24
        assert await world.metric("perigee_tls_tickets_shared") == 2
        os.kill(world.worker_pids[0], signal.SIGKILL)
        await world.wait_metric("perigee_worker_restarts_total", 1)
        await until(lambda: is_ready(world))
        for _ in range(12):
            await resumed(session)


async def is_ready(world: World) -> bool:
    return bool((await world.readiness())["ready"])


async def test_certificates_change_under_load_and_nobody_notices(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    origin.on("/l01/load", Canned(200, FRESH, b"here"))
    secure = Secure(tmp_path, origin, workers=2)
    secure.authority.put(secure.folder, "a", "a.test")
    done = asyncio.Event()
    served = [0, 0]

    async def keep_alive() -> None:
        context = secure.authority.client()
        client = await RawClient.connect("127.0.0.1", secure.port, tls=context, server_name="a.test")
        async with client:
            while not done.is_set():
                assert (await client.get("/l01/load", {"Host": "a.test"})).body == b"here"
                served[0] += 1

    async def come_again() -> None:
        while not done.is_set():
            assert (await secure.get("a.test", "/l01/load")).body == b"here"
            served[1] += 1

    async def is_new() -> bool:
        return await asyncio.to_thread(secure.shown, "a.test") == secure.written("a")

    async with secure.world as world, asyncio.TaskGroup() as group:
        for load in (keep_alive, keep_alive, come_again, come_again):
            group.create_task(load())
        for turn in range(3):
            secure.authority.put(secure.folder, "a", "a.test")
            if turn:
                world.send_signal(signal.SIGHUP)
            await until(is_new)
            await until(partial(progress, served, tuple(served)))
        assert await world.metric("perigee_tls_certificate_reloads_total", {"outcome": "taken"}) >= 3
        done.set()
    assert all(served)


async def progress(served: list[int], before: tuple[int, ...]) -> bool:
    return all(now > then for now, then in zip(served, before, strict=True))


async def test_a_bad_certificate_is_told_and_the_former_is_served(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    origin.on("/l01/bad", Canned(200, FRESH, b"here"))
    secure = Secure(tmp_path, origin)
    secure.authority.put(secure.folder, "a", "a.test")
    async with secure.world as world:
        former = secure.written("a")
        (secure.folder / "a.key").write_bytes(secure.authority.pair("a.test")[1])
        world.send_signal(signal.SIGHUP)
        await world.wait_metric("perigee_tls_certificate_faults", 1)
        assert b"that of another certificate" in (await world.admin("/readyz")).body
        assert (await world.admin("/readyz")).status == 200
        assert "a.crt" in world.log()
        assert await asyncio.to_thread(secure.shown, "a.test") == former
        secure.authority.put(secure.folder, "a", "a.test")
        await world.wait_metric("perigee_tls_certificate_faults", 0)


async def test_a_start_with_a_bad_certificate_says_which(origin: ScriptedOrigin, tmp_path: Path) -> None:
    secure = Secure(tmp_path, origin)
    secure.authority.put(secure.folder, "a", "a.test")
    (secure.folder / "a.key").unlink()
    with pytest.raises(EdgeDied, match=r"a\.crt: there is no key to it; put its key beside it as a\.key"):
        await secure.world.start()


async def test_sites_ask_for_certificates_of_their_own(origin: ScriptedOrigin, tmp_path: Path) -> None:
    origin.on("/l01/m", Canned(200, FRESH, b"here"))
    site = '[[site]]\nhostnames = ["{0}"]\nname = "{0}"\norigins = ["{1}"]\n'
    asking = '[site.tls]\nclient_certificate = "required"\ntell_origin = true\nclient_ca = "clients.pem"\n'
    sites = site.format("open.test", origin.url) + site.format("closed.test", origin.url) + asking
    (tmp_path / "clients").mkdir()
    clients = Authority.make(tmp_path / "clients", "Clients")
    (tmp_path / "clients.pem").write_bytes(clients.file.read_bytes())
    secure = Secure(tmp_path, origin, sites=sites, workers=2)
    secure.authority.put(secure.folder, "a", "open.test", "closed.test")
    pairs = [clients.pair(common_name=name) for name in ("one", "other")]
    known = [secure.authority.client(shown=pair) for pair in pairs]
    async with secure.world as world:
        assert (await secure.get("open.test", "/l01/m")).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            assert (await secure.get("closed.test", "/l01/m")).status == 200
        for _ in range(2):
            for context in known:
                assert (await secure.get("closed.test", "/l01/m", context=context)).body == b"here"
        told = [request.header("Client-Cert") for request in origin.seen("/l01/m")]
        ders = [b":" + b64encode(ssl.PEM_cert_to_DER_cert(chain.decode())) + b":" for chain, _ in pairs]
        assert told == [None, *ders]  # what is stored for one client is for no other
        for visitor in (None, known[0]):
            assert (
                await secure.get("open.test", "/l01/m", host="closed.test", context=visitor)
            ).status == 421
        assert (await secure.get("closed.test", "/l01/m", host="open.test", context=known[0])).status == 421
        assert (await world.get("/l01/m", {"Host": "closed.test"})).status == 421
        failed = await world.metric("perigee_tls_handshakes_total", {"outcome": "no-client-certificate"})
        assert failed >= 1
