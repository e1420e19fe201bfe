"""g01: three POPs on loopback addresses, with real edges, a real DNS server and a real bus.

Who is led where, and what happens when an edge, the control plane or a database goes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge.tasks import TaskOwner
from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.dns_process import DnsProcess
from tests.kit.nats import TOKEN, NatsServer
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.waiting import until
from tests.kit.world import World
from tools.mmdb import mmdb_bytes
from tools.pops import drain
from tools.ports import free_ports

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

INTERVAL = 0.8
NOTICED_WITHIN = INTERVAL + 3.0
"""Seconds until nobody is led to an edge that was killed."""
SITE = "www.cdn.test"
FRA, IAD, SIN = "127.0.1.1", "127.0.1.2", "127.0.1.3"
GERMANS = [f"198.18.{number}.0" for number in range(40)]
"""Networks; each is a slot of its own."""
AMERICAN, MOVED = "198.19.1.0", "198.19.2.0"

NETWORK = """
[health]
interval = "{interval:g}s"
timeout = "800ms"
down_after = 3
up_after = 1
presence_life = "2s"
max_out = 1
slow_start = "8s"
drain_ramp = "0s"
[load]
start = 1.0
stop = 1.0
[geo]
databases = "places.mmdb"
reload = "1s"
default_pops = ["sin"]
[geo.overrides]
{overrides}
[nats]
url = "{nats}"
token = "{token}"
[dns]
name = "dns-1"
[dns.rate]
responses = "off"
errors = "off"
[[region]]
name = "world"
[[route]]
site = "shop"
hosts = ["{site}"]
ttl = "1s"
spread = false
[[zone]]
origin = "cdn.test"
ns = ["ns1.example.net"]
"""
POP = """
[[pop]]
name = "{pop}"
region = "world"
latitude = {latitude}
longitude = {longitude}
addresses = ["{address}"]
[[node]]
name = "{pop}-1"
pop = "{pop}"
http = "{address}:{port}"
admin = "127.0.0.1:{admin}"
"""
RECORD = """
[[zone.record]]
name = "{pop}.www"
type = "A"
values = ["{address}"]
"""
NODE = """
sites = []
[node]
name = "{pop}-1"
network = "../network.toml"
trusted_proxies = ["127.0.0.0/8"]
[log]
access = "off"
[disk]
capacity = "off"
[nats]
url = "{nats}"
token = "{token}"
replicas = 1
durability = "trusted"
[[site]]
name = "shop"
hostnames = ["{site}", "*.{site}"]
origins = ["{origin}"]
[site.redirect]
answer = "302"
[site.key]
country = ["DE", "US"]
"""
PLACES = {"fra": (50.11, 8.68, FRA), "iad": (38.94, -77.46, IAD), "sin": (1.35, 103.99, SIN)}


@dataclass
class Net:
    """The whole network. port: of every edge, each on its own address."""

    folder: Path
    port: int
    nats: NatsServer
    origin: ScriptedOrigin
    edges: dict[str, World]
    dns: DnsProcess

    async def told(self, subnet: str, name: str = SITE) -> str:
        """The address that a client's network is led to."""
        (address,) = await self.dns.texts(f"{name}.", subnet=subnet)
        return address

    async def share(self, address: str) -> float:
        """Of the Germans that are led there."""
        told = await asyncio.gather(*(self.told(each) for each in GERMANS))
        return told.count(address) / len(told)

    async def pop(self, name: str) -> dict[str, Any]:
        """What the DNS server knows of it."""
        said = json.loads(await self.dns.admin("/pops"))
        found: dict[str, Any] = next(each for each in said["pops"] if each["pop"] == name)
        return found | {"bus": said["bus"]}

    async def get(self, address: str, target: str, *, host: str = SITE, client: str = AMERICAN) -> Answer:
        """As a proxy that is trusted says it of its client."""
        said = {"Host": f"{host}:{self.port}", "X-Forwarded-For": client}
        async with await RawClient.connect(address, self.port) as connection:
            return await connection.request("GET", target, said)


async def seconds_until(claim: Callable[[], Awaitable[bool]]) -> float:
    """How long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(claim, every=0.02)
    return loop.time() - began


def written(net_folder: Path, nats: NatsServer, port: int, admin_ports: dict[str, int]) -> str:
    """The network file."""
    overrides = (
        "".join(f'"{each}/24" = "country:DE"\n' for each in GERMANS) + f'"{AMERICAN}/24" = "country:US"\n'
    )
    text = NETWORK.format(interval=INTERVAL, overrides=overrides, nats=nats.url, token=TOKEN, site=SITE)
    for pop, (_, _, address) in PLACES.items():
        text += RECORD.format(pop=pop, address=address)
    for pop, (latitude, longitude, address) in PLACES.items():
        text += POP.format(
            pop=pop,
            latitude=latitude,
            longitude=longitude,
            address=address,
            port=port,
            admin=admin_ports[pop],
        )
    (net_folder / "places.mmdb").write_bytes(mmdb_bytes({f"{MOVED}/24": {"country_code": "DE"}}))
    return text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Net]:
    folder = tmp_path_factory.mktemp("g01")
    (port,) = free_ports(1)
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(NatsServer(folder / "nats"))
        answer = Canned(200, {"Cache-Control": "max-age=600"}, b"hello")
        origin = await stack.enter_async_context(ScriptedOrigin({"/a": answer}))
        edges = {
            pop: World(
                folder / pop,
                origin=None,
                config=NODE.format(pop=pop, nats=nats.url, token=TOKEN, site=SITE, origin=origin.url),
                args=("--listen", f"{address}:{port}"),
            )
            for pop, (_, _, address) in PLACES.items()
        }
        dns = DnsProcess(
            folder, written(folder, nats, port, {pop: edge.admin_port for pop, edge in edges.items()})
        )
        await asyncio.gather(*(stack.enter_async_context(edge) for edge in edges.values()))
        await stack.enter_async_context(dns)
        made = Net(folder, port, nats, origin, edges, dns)

        async def all_up() -> bool:
            known = [await made.pop(pop) for pop in PLACES]
            return all(pop["share"] == 1.0 and pop["health"] == "up" for pop in known)

        await until(all_up)
        yield made


async def test_dns_leads_to_the_nearest_and_an_edge_elsewhere_sends_on(net: Net):
    assert await net.told(GERMANS[0]) == FRA
    assert await net.told(AMERICAN) == IAD
    sent = await net.get(FRA, "/a?b")
    assert (sent.status, sent.header("location")) == (302, f"http://iad.{SITE}:{net.port}/a?b".encode())
    address = await net.told(GERMANS[0], f"iad.{SITE}")
    assert address == IAD
    served = await net.get(address, "/a", host=f"iad.{SITE}")
    assert (served.status, served.body) == (200, b"hello")
    assert (await net.get(IAD, "/a")).header("age") is not None  # one key, whatever host it came by
    (request,) = net.origin.seen("/a")
    assert request.header("host") == f"{SITE}:{net.port}".encode()
    assert request.header("x-geo-country") == b"US"
    far = await net.get(SIN, "/a", host=f"sin.{SITE}")
    assert far.status == 200
    assert await net.edges["sin"].metric("perigee_far_requests_total", {"site": "shop"}) == 1


async def test_a_pop_that_is_drained_gets_nobody_by_dns_or_by_redirect(net: Net):
    api = f"http://127.0.0.1:{net.dns.admin_port}"
    assert await asyncio.to_thread(lambda: drain("iad", api, drained=True, to_json=False)) == 0

    async def nobody_is_led_there() -> bool:
        by_dns = await net.told(AMERICAN) != IAD
        return by_dns and (await net.get(FRA, "/a")).status == 200

    await until(nobody_is_led_there)
    assert (await net.get(IAD, "/a", client=AMERICAN)).status == 302
    assert await asyncio.to_thread(lambda: drain("iad", api, drained=False, to_json=False)) == 0

    async def all_is_as_before() -> bool:
        return await net.told(AMERICAN) == IAD and (await net.get(FRA, "/a")).status == 302

    await until(all_is_as_before)


async def test_an_edge_that_is_killed_gets_no_clients_and_returns_slowly(net: Net):
    assert await net.share(FRA) == 1.0
    await net.edges["fra"].kill9()

    async def nobody_is_led_there() -> bool:
        return await net.share(FRA) == 0.0

    assert await seconds_until(nobody_is_led_there) < NOTICED_WITHIN
    assert (await net.pop("fra"))["health"] == "down"
    seen: list[float] = []

    async def all_are_led_there() -> bool:
        seen.append(await net.share(FRA))
        return seen[-1] == 1.0

    async with TaskOwner("start") as tasks:
        starting = tasks.spawn(net.edges["fra"].start(), name="fra")
        await until(all_are_led_there, within=20.0)
        await starting
    rising = [share for share in seen if 0.0 < share < 1.0]
    assert rising, seen
    assert rising[0] < 0.5


async def test_a_database_is_replaced_under_load_and_no_answer_fails(net: Net):
    failed, answered = [], 0
    ends = asyncio.Event()

    async def ask_on() -> None:
        nonlocal answered
        while not ends.is_set():
            told = await net.dns.texts(f"{SITE}.", subnet=MOVED)
            answered += 1
            if told not in ([FRA], [IAD]):
                failed.append(told)

    async def has_moved() -> bool:
        return await net.told(MOVED) == IAD

    assert await net.told(MOVED) == FRA
    file = net.folder / "places.mmdb"
    async with TaskOwner("load") as tasks:
        asking = [tasks.spawn(ask_on(), name="ask") for _ in range(4)]
        file.write_bytes(b"no database")  # in place, under the eyes of who has it mapped
        replacement = file.with_suffix(".new")
        replacement.write_bytes(mmdb_bytes({f"{MOVED}/24": {"country_code": "US"}}))
        replacement.replace(file)
        await until(has_moved)
        ends.set()
        await asyncio.gather(*asking)
    assert failed == []
    assert answered > 10


async def test_the_control_plane_is_killed_and_answers_go_on(net: Net):
    await net.nats.kill()

    async def is_away() -> bool:
        return bool((await net.pop("fra"))["bus"] == "away")

    await until(is_away)
    assert await net.told(GERMANS[0]) == FRA
    assert (await net.get(FRA, "/a")).status == 302
    await net.edges["fra"].kill9()

    async def nobody_is_led_there() -> bool:
        return await net.share(FRA) == 0.0

    assert await seconds_until(nobody_is_led_there) < NOTICED_WITHIN
    assert await net.told(AMERICAN) == IAD
