"""A name server on a real UDP socket that says what the test says, rendered by dnspython."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.kit.waiting import Bell


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """records: (name, type) -> (ttl, values). What is not there is NXDOMAIN, or NODATA where the name has others.

    rcode: answers everything with it. is_silent: answers nothing. asked: (name, type) in order.
    """

    records: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    rcode: str | None = None
    is_silent: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""
    held: list[tuple[bytes, tuple[str, int]]] | None = None
    """Queries that wait for `release`, when set."""

    def __post_init__(self) -> None:
        self.bell = Bell()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(query.question[0].rdtype)))
        if self.held is not None:
            self.held.append((data, addr))
        elif not self.is_silent:
            self._answer(data, addr)
        self.bell.ring()

    def release(self) -> None:
        """Answer what was held."""
        held, self.held = self.held or [], None
        for data, addr in held:
            self._answer(data, addr)

    def count(self, name: str) -> int:
        """How many times its A records were asked for."""
        return self.asked.count((name, "A"))

    def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.rcode is not None:
            response.set_rcode(dns.rcode.from_text(self.rcode))
        else:
            self._fill(response, query)
        self._transport.sendto(response.to_wire(), addr)

    def _fill(self, response: dns.message.Message, query: dns.message.Message) -> None:
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        alias = self.records.get((name, "CNAME"))
        if alias is not None:
            response.answer.append(
                dns.rrset.from_text(name + ".", alias[0], "IN", "CNAME", alias[1][0] + ".")
            )
            name = alias[1][0]
        found = self.records.get((name, kind))
        if found is not None:
            response.answer.append(dns.rrset.from_text_list(name + ".", found[0], "IN", kind, found[1]))
        elif not any(held == name for held, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
