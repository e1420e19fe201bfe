"""Where an origin is, and which of its addresses is tried first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.errors import UpstreamFault
from edge.fill.addresses import MAX_ADDRESSES, SHUN_SECONDS, Addresses, bare, is_unix
from edge.semantics.rules import OriginRules
from edge.tasks import TaskOwner
from tests.kit.clock import ManualClock
from tests.kit.upstreams import Names

RULES = OriginRules()


@asynccontextmanager
async def desk(
    *known: str, host: bytes = b"shop.test"
) -> AsyncIterator[tuple[Addresses, Names, ManualClock]]:
    clock = ManualClock()
    names = Names(clock, {"shop.test": list(known)})
    async with TaskOwner("test") as tasks:
        yield Addresses(host, "shop.test:80", clock, names, tasks), names, clock


@pytest.mark.parametrize(
    "host,tried",
    [
        (b"127.0.0.1", "127.0.0.1"),
        (b"[::1]", "::1"),
        (b"10.0.0.1", "10.0.0.1"),
        (b"unix:/run/a.sock", "unix:/run/a.sock"),
    ],
)
async def test_what_is_no_name_is_never_looked_up(host: bytes, tried: str):
    async with desk(host=host) as (addresses, names, _):
        assert await addresses.candidates(RULES) == [tried]
        assert (addresses.current(1e12), names.asked) == ((tried,), [])


async def test_connects_take_turns_among_the_addresses():
    async with desk("1.1.1.1", "1.1.1.2", "1.1.1.3") as (addresses, _, _clock):
        firsts = [(await addresses.candidates(RULES))[0] for _ in range(6)]
        assert sorted(firsts) == ["1.1.1.1", "1.1.1.1", "1.1.1.2", "1.1.1.2", "1.1.1.3", "1.1.1.3"]


async def test_an_address_that_failed_is_tried_last_for_a_while():
    async with desk("1.1.1.1", "1.1.1.2") as (addresses, names, clock):
        addresses.shun("1.1.1.2")
        assert {(await addresses.candidates(RULES))[-1] for _ in range(4)} == {"1.1.1.2"}
        clock.advance(SHUN_SECONDS)
        assert {(await addresses.candidates(RULES))[-1] for _ in range(4)} == {"1.1.1.1", "1.1.1.2"}
        names.table["shop.test"] = ["1.1.1.3"]
        assert await addresses.candidates(RULES) == ["1.1.1.3"]


@pytest.mark.parametrize("count", [MAX_ADDRESSES, MAX_ADDRESSES + 1])
async def test_no_more_than_so_many_addresses_are_tried(count: int):
    async with desk(*[f"1.1.1.{n}" for n in range(count)]) as (addresses, _, _clock):
        assert len(await addresses.candidates(RULES)) == MAX_ADDRESSES


async def test_only_what_the_site_permits_is_tried():
    async with desk("10.0.0.1", "1.1.1.1") as (addresses, names, _):
        assert await addresses.candidates(RULES) == ["1.1.1.1"]
        assert set(await addresses.candidates(OriginRules(allow_private_names=True))) == {
            "10.0.0.1",
            "1.1.1.1",
        }
        names.table["shop.test"] = ["10.0.0.1"]
        with pytest.raises(UpstreamFault, match="allow_private_names") as raised:
            await addresses.candidates(RULES)
        assert raised.value.proxy_status == "destination_ip_prohibited"


@pytest.mark.parametrize("host,verdict", [(b"unix:/a", True), (b"unix", False), (b"shop.test", False)])
def test_unix_sockets_are_told_by_their_prefix(host: bytes, verdict: bool):
    assert is_unix(host) is verdict
    assert bare(b"[::1]") == "::1"
