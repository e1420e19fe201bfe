"""Queries by TCP: many in one connection, in pieces, too slowly, too many, and answers that nobody reads."""

import asyncio
import socket

import dns.flags
import dns.message
import pytest

from edge.settings.dns import DnsSettings, TcpSettings
from tests.kit.nameservers import FREE, Serving, serving, view_of, zone_of
from tests.kit.waiting import until


def framed(*names: str, kind: str = "A") -> bytes:
    wires = [dns.message.make_query(f"{name}.cdn.example.", kind, use_edns=0).to_wire() for name in names]
    return b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires)


async def answer(reader: asyncio.StreamReader) -> dns.message.Message:
    async with asyncio.timeout(10):
        length = int.from_bytes(await reader.readexactly(2), "big")
        return dns.message.from_wire(await reader.readexactly(length))


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(10):
        try:
            return await reader.read(1) == b""
        except ConnectionResetError:
            return True


def tight(settings: TcpSettings) -> DnsSettings:
    return DnsSettings(rate=FREE, tcp=settings)


async def ended(server: Serving, why: str, count: int = 1) -> None:
    async def is_so() -> bool:
        return server.counted("perigee_dns_connections_total").get(why) == count

    await until(is_so)


async def test_many_queries_in_one_connection_are_answered_in_their_order():
    async with serving() as server:
        reader, writer = await server.reader()
        names = [f"x{each}.wild" for each in range(200)]  # several rounds of a batch
        writer.write(framed(*names))
        got = [(await answer(reader)).question[0].name.to_text() for _ in names]
        assert got == [f"{name}.cdn.example." for name in names]
        writer.close()
        await ended(server, "client")
        assert server.measures.queries.of("tcp").value == 200


async def test_a_query_may_come_octet_by_octet():
    async with serving() as server:
        reader, writer = await server.reader()
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed("www", "many"):
            writer.write(bytes((octet,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answer(reader)).answer
        assert (await answer(reader)).answer
        writer.close()


async def test_who_says_that_he_will_ask_no_more_still_gets_his_answers():
    async with serving() as server:
        reader, writer = await server.reader()
        writer.write(framed("www", "many"))
        writer.write_eof()
        assert (await answer(reader)).answer
        assert (await answer(reader)).answer
        assert await is_closed(reader)
        writer.close()


async def test_an_idle_connection_ends():
    async with serving(tight(TcpSettings(idle=0.4))) as server:
        reader, writer = await server.reader()
        writer.write(framed("www"))
        await answer(reader)
        server.clock.advance(0.5)
        assert await is_closed(reader)
        await ended(server, "idle")
        writer.close()


async def test_a_query_that_takes_too_long_ends_it_however_steadily_it_comes():
    async with serving(tight(TcpSettings(query_deadline=0.4))) as server:
        reader, writer = await server.reader()
        whole = framed("www")
        writer.write(whole[:5])
        await until(lambda: has_begun(server))
        server.clock.advance(0.3)
        writer.write(whole[5:9])
        await writer.drain()
        server.clock.advance(0.2)
        assert await is_closed(reader)
        await ended(server, "slow")
        writer.close()


async def has_begun(server: Serving) -> bool:
    assert server.tcp is not None
    return any(each._waiting for each in server.tcp._open)


async def test_a_connection_has_its_share_of_queries():
    async with serving(tight(TcpSettings(queries=3))) as server:
        reader, writer = await server.reader()
        writer.write(framed("www", "www", "www", "www"))
        for _ in range(3):
            await answer(reader)
        assert await is_closed(reader)
        await ended(server, "queries")
        assert server.counted("perigee_dns_bound_reached_total") == {"dns.tcp.queries": 1}
        writer.close()


@pytest.mark.parametrize(
    ("settings", "bound"),
    [
        (tight(TcpSettings(per_client=2)), "dns.tcp.per_client"),
        (tight(TcpSettings(connections=2)), "dns.tcp.connections"),
    ],
)
async def test_more_connections_than_are_allowed_are_refused(settings: DnsSettings, bound: str):
    async with serving(settings) as server:
        held = [await server.reader() for _ in range(2)]
        for reader, writer in held:
            writer.write(framed("www"))
            await answer(reader)
        reader, writer = await server.reader()
        assert await is_closed(reader)
        writer.close()
        await ended(server, "refused")
        assert server.counted("perigee_dns_bound_reached_total") == {bound: 1}
        held[0][1].close()
        await ended(server, "client")
        again, another = await server.reader()
        another.write(framed("www"))
        assert (await answer(again)).answer
        for _, each in (*held, (again, another)):
            each.close()


BIG = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.other.\n" + "".join(
    f'big 60 TXT "{each:03d}{"x" * 240}"\n' for each in range(250)
)


async def test_while_a_client_does_not_read_nothing_is_answered_and_then_it_ends():
    async with serving(DnsSettings(rate=FREE), view_of(None, zone_of(BIG, routes=()))) as server:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        writer.write(framed(*["big"] * 900, kind="TXT"))

        async def is_backlogged() -> bool:
            assert server.tcp is not None
            return any(each._is_backlogged for each in server.tcp._open)

        await until(is_backlogged)
        answered = server.measures.queries.of("tcp").value
        assert 0 < answered < 200  # 60 KB each: what the kernel takes, and not all 54 MB
        server.clock.advance(60)
        await ended(server, "backlog")
        assert server.connections == 0
        writer.close()
        del reader


async def test_a_client_that_reads_late_gets_everything():
    async with serving(DnsSettings(rate=FREE), view_of(None, zone_of(BIG, routes=()))) as server:
        reader, writer = await server.reader()
        writer.write(framed(*["big"] * 100, kind="TXT"))
        for _ in range(100):
            assert len((await answer(reader)).answer[0]) == 250
        writer.close()


async def test_what_is_too_long_even_for_tcp_is_cut():
    text = BIG + "".join(f'vast 60 TXT "{each:03d}{"x" * 250}" "{"y" * 250}"\n' for each in range(250))
    async with serving(DnsSettings(rate=FREE), view_of(None, zone_of(text, routes=()))) as server:
        reader, writer = await server.reader()
        writer.write(framed("vast", "vast", kind="TXT"))
        for _ in range(2):
            cut = await answer(reader)
            assert cut.flags & dns.flags.TC
            assert cut.answer == []
        writer.close()


@pytest.mark.parametrize(
    "junk",
    [b"\0\0", b"\0\x05abcde", b"GET / HTTP/1.1\r\n\r\n" + bytes(20_000), b"\0\x0c\0\1\x80\0" + bytes(8)],
)
async def test_what_is_not_dns_ends_the_connection(junk: bytes):
    async with serving() as server:
        reader, writer = await server.reader()
        writer.write(junk)
        async with asyncio.timeout(10):
            told = await reader.read()
        assert len(told) in (0, 2 + 12)  # one error at most, where the first octets look like a message
        await ended(server, "failed")
        writer.close()


async def test_at_the_end_what_was_answered_is_sent():
    async with serving() as server:
        reader, writer = await server.reader()
        writer.write(framed("www"))
        await answer(reader)
        assert server.tcp is not None
        await server.tcp.aclose()
        await server.tcp.aclose()
        assert await is_closed(reader)
        await ended(server, "drain")
        writer.close()
