"""Which addresses a connection may be opened to. PURE.

Owns: `is_allowed`. Rules: where misses go is written in the settings only, so an address or `localhost` that
stands there is meant; but what a *name* resolves to is said by whoever runs its zone, today one thing and
tomorrow another (DNS rebinding), so it must be a public unicast address unless the site says otherwise. It is
asked for every connection, at connect time. The tables are IANA's special-purpose registries (RFC 6890, RFC
8190) without what is globally reachable.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from edge.semantics.rules import OriginRules

_NOT_PUBLIC_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared, carrier-grade NAT, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927; clouds' metadata services live here
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocols, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, RFC 1112, and limited broadcast
    )
)
_UNICAST_6 = IPv6Network("2000::/3")
"""All that IANA gave out as global unicast; loopback, v4-mapped, ULA, link-local, multicast lie outside."""
_NOT_PUBLIC_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocols: Teredo, benchmarks, ORCHID, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4: carries an IPv4 address of anybody's choice, RFC 7526
        "3fff::/20",  # documentation, RFC 9637
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are the IPv4 address that is meant."""
_NOWHERE_4 = (IPv4Network("0.0.0.0/8"), IPv4Network("224.0.0.0/4"), IPv4Network("240.0.0.0/4"))
_NOWHERE_6 = (IPv6Network("::/128"), IPv6Network("ff00::/8"))


def is_allowed(address: str, host: bytes, rules: OriginRules) -> bool:
    """Whether a connection may go to `address`, which the origin `host` of the settings stands for.

    address: an IP address without port and brackets; anything else is refused. host: as written in the settings.
    """
    if is_literal(host) or host.lower().rstrip(b".") == b"localhost":
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if rules.allow_private_names:
        return _is_unicast(found)
    return is_public(found)


def is_literal(host: bytes) -> bool:
    """Whether `host` is an IP address (IPv6 with or without brackets) rather than a name."""
    try:
        ip_address(host.decode("ascii").removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a unicast address that everybody may reach."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _is_unicast(address: IPv4Address | IPv6Address) -> bool:
    """Whether it names one machine at all, somewhere."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOWHERE_4)
    mapped = address.ipv4_mapped
    if mapped is not None:
        return _is_unicast(mapped)
    return not any(address in network for network in _NOWHERE_6)
