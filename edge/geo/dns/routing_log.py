"""Lines of the routing log: who was sent where, and why. PURE.

Owns: `Recorded` and `routing_line`, one line a routed answer. Rules: `name=value` with one space between, no value has white
space or anything that a client could forge a line with. chi: the client's subnet, or where the query has none the resolver;
rhi: the resolver, where chi is another; rtype, rloc, rdtl: the reason of the answer, the POP, the steps of placement; ttl in
seconds; ans: the addresses, or the alias.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from edge.geo.dns.edns import network_address
from edge.geo.dns.names import text_of
from edge.geo.dns.rdata import RRset, type_word
from edge.geo.dns.render import Reply
from edge.geo.dns.wire import Query, parse_query

NONE = "-"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One routed answer. source: packed address that asked. query: its octets."""

    source: bytes
    query: bytes
    reply: Reply
    by_tcp: bool


def routing_line(recorded: Recorded, now: float) -> bytes:
    """With its line feed. now: unix seconds."""
    parsed = parse_query(recorded.query)
    assert isinstance(parsed, Query), "only what is a query is routed"
    reply = recorded.reply
    resolver = str(ip_address(recorded.source))
    subnet = parsed.edns.subnet if parsed.edns is not None else None
    is_located = subnet is not None and subnet.prefix > 0
    client = f"{ip_address(network_address(subnet))}/{subnet.prefix}" if subnet and is_located else resolver
    last = reply.answer[-1] if reply.answer else None
    moment = datetime.fromtimestamp(now, UTC)
    values = (
        ("qtype", "DNS"),
        ("net", "tcp" if recorded.by_tcp else "udp"),
        ("chi", client),
        ("rhi", resolver if is_located else NONE),
        ("fqdn", text_of(parsed.qname)),
        ("type", type_word(parsed.qtype)),
        ("rcode", reply.rcode.name),
        ("rtype", reply.because.value),
        ("rloc", reply.pop or NONE),
        ("rdtl", ",".join(reply.reasons) or NONE),
        ("ttl", NONE if last is None else str(last.ttl)),
        ("ans", NONE if last is None else ",".join(_values(last))),
    )
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return (
        " ".join((stamp, *(f"{name}={value}" for name, value in values))).encode("ascii", "replace") + b"\n"
    )


def _values(rrset: RRset) -> list[str]:
    """Addresses as such, an alias as a name."""
    return [text_of(rdata.names[0]) if rdata.names else str(ip_address(rdata.head)) for rdata in rrset.rdatas]
