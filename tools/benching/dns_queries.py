"""What DNS servers are asked in a benchmark, and the network that they answer for.

Owns: `WORKLOADS`, `queries` (packets as dnsperf -B reads them), `network_text`, `places`. All is made from fixed seeds, so that
every server and every run gets the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from edge.geo.countries import COUNTRIES

ORIGIN = "cdn.example.net"
HOST = b"\x03www\x03cdn\x07example\x03net\x00"

POPS = {
    "fra": (50.11, 8.68), "lhr": (51.47, -0.45), "iad": (38.94, -77.46), "sjc": (37.36, -121.93),
    "gru": (-23.43, -46.47), "jnb": (-26.13, 28.23), "sin": (1.35, 103.99), "nrt": (35.77, 140.39),
    "syd": (-33.95, 151.18), "bom": (19.09, 72.87),
}  # fmt: skip

WORKLOADS: Mapping[str, str] = {
    "ecs": "20,000 client networks (ECS /24), asked for over and over",
    "ecs-new": "400,000 client networks (ECS /24), so that most are met for the first time",
    "source": "no client subnet: the resolver's own address decides",
    "nxdomain": "20,000 names that do not exist",
    "case": "the routed name with its letters in random case (0x20)",
    "tcp": "the first one, by TCP",
}
COUNTS = {"ecs-new": 400_000}

_A_IN = b"\0\1\0\1"
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0"


def _packet(name: bytes, options: bytes | None) -> bytes:
    edns = b"" if options is None else _OPT + len(options).to_bytes(2, "big") + options
    counts = b"\0\1\0\0\0\0\0" + (b"\0" if options is None else b"\1")
    made = b"\0\0\1\0" + counts + name + _A_IN + edns
    return len(made).to_bytes(2, "big") + made


def queries(workload: str) -> Iterator[bytes]:
    """Packets, each behind its length."""
    chance = random.Random(workload)
    for _ in range(COUNTS.get(workload, 20_000)):
        name, options = HOST, b""
        if workload in {"ecs", "ecs-new", "tcp"}:
            options = b"\0\x08\0\x07\0\1\x18\0" + bytes((chance.randrange(1, 224), *chance.randbytes(2)))
        elif workload == "nxdomain":
            label = b"%012x" % chance.getrandbits(48)
            name = bytes((len(label),)) + label + HOST[4:]
        elif workload == "case":
            name = bytes(c - 32 if 97 <= c <= 122 and chance.random() < 0.5 else c for c in HOST)
        yield _packet(name, None if workload == "source" else options)


def places(count: int = 20_000) -> dict[str, dict[str, object]]:
    """Records of a database: networks of 16 to 20 bits, each in some country, at that country's point."""
    chance = random.Random("places")
    codes = sorted(COUNTRIES)
    found: dict[str, dict[str, object]] = {}
    for _ in range(count):
        bits = chance.choice((16, 16, 18, 20))
        value = chance.randrange(1 << 24, 224 << 24) >> 32 - bits << 32 - bits
        text = ".".join(str(octet) for octet in value.to_bytes(4, "big"))
        code = chance.choice(codes)
        point = COUNTRIES[code]
        location = {"latitude": point.latitude, "longitude": point.longitude}
        found[f"{text}/{bits}"] = {"country": {"iso_code": code}, "location": location}
    return found


def network_text(port: int) -> str:
    """A network file with ten POPs, one routed name, and a database beside it. Rates are counted and out of reach."""
    pops = "".join(
        f'[[pop]]\nname = "{name}"\nregion = "all"\nlatitude = {at[0]}\nlongitude = {at[1]}\n'
        f'addresses = ["192.0.2.{2 * index + 1}", "192.0.2.{2 * index + 2}"]\n'
        for index, (name, at) in enumerate(POPS.items())
    )
    return f"""\
[dns]
listen = ["127.0.0.1:{port}"]
admin = "off"
workers = 1
[dns.rate]
responses = 1000000
errors = 1000000
[dns.tcp]
queries = 1000000
[geo]
databases = ["places.mmdb"]
[[region]]
name = "all"
{pops}
[[route]]
site = "shop"
hosts = ["www.{ORIGIN}"]
spread = false
[[zone]]
origin = "{ORIGIN}"
ns = ["ns1.{ORIGIN}"]
[[zone.record]]
name = "ns1"
type = "A"
values = ["127.0.0.1"]
"""
