"""Server cookies: who sends ours back really has the address that the packet says. PURE.

Owns: `Cookies`. Rules: RFC 9018: version 1, a time, SipHash-2-4 over client cookie, the first half of ours, and the client's
address, so that all servers with one secret accept each other's. A cookie is good for an hour and a new one is given after
half of it; one from the future is good up to five minutes (s4.3). With two secrets the first makes and both are accepted.
RFC 7873, RFC 9018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.geo.dns.edns import CLIENT_COOKIE_BYTES, COOKIE_OPTION

SECRET_BYTES = 16
GOOD_SECONDS = 3600
RENEW_SECONDS = 1800
FUTURE_SECONDS = 300

_WHOLE_BYTES = 24
"""Client cookie, and ours of 16 octets."""
_VERSION = b"\1\0\0\0"
_MASK = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Checked:
    """is_ours: it brought a cookie that we gave this address. option: for the answer."""

    is_ours: bool
    option: bytes


class Cookies:
    """secrets: 16 octets each, one at least."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        assert secrets and all(len(secret) == SECRET_BYTES for secret in secrets), "cookie secrets"
        self._secrets = tuple(secrets)

    def check(self, cookie: bytes, source: bytes, now: float) -> Checked:
        """cookie: the option's octets, whose lengths were checked. source: packed address. now: unix seconds."""
        client = cookie[:CLIENT_COOKIE_BYTES]
        age = self._age(cookie, source, int(now))
        if age is not None and age <= RENEW_SECONDS:
            return Checked(is_ours=True, option=_option(cookie))
        fresh = self._made(self._secrets[0], client, source, (int(now) & 0xFFFF_FFFF).to_bytes(4, "big"))
        return Checked(age is not None, _option(client + fresh))

    def _age(self, cookie: bytes, source: bytes, now: int) -> int | None:
        """Seconds since we made it; None = we did not, or it is no longer good."""
        client, ours = cookie[:CLIENT_COOKIE_BYTES], cookie[CLIENT_COOKIE_BYTES:]
        if len(cookie) != _WHOLE_BYTES or ours[:4] != _VERSION:
            return None
        # Serial number arithmetic (RFC 1982), as RFC 9018 s4.3 says, so that 2106 comes to no harm.
        age = (now - int.from_bytes(ours[4:8], "big")) & 0xFFFF_FFFF
        age = age - 0x1_0000_0000 if age >= 0x8000_0000 else age
        if not -FUTURE_SECONDS <= age <= GOOD_SECONDS:
            return None
        if any(self._made(secret, client, source, ours[4:8]) == ours for secret in self._secrets):
            return age
        return None

    def _made(self, secret: bytes, client: bytes, source: bytes, time: bytes) -> bytes:
        head = _VERSION + time
        return head + siphash(secret, client + head + source)


def _option(cookie: bytes) -> bytes:
    return COOKIE_OPTION.to_bytes(2, "big") + len(cookie).to_bytes(2, "big") + cookie


def siphash(key: bytes, data: bytes) -> bytes:
    """SipHash-2-4, 8 octets, little end first (Aumasson and Bernstein 2012)."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    whole = len(data) // 8 * 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3 ^ word, 2)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ 0xFF, v3, 4)
    return (v0 ^ v1 ^ v2 ^ v3).to_bytes(8, "little")


def _rounds(v0: int, v1: int, v2: int, v3: int, count: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        v0 = (v0 + v1) & _MASK
        v1 = ((v1 << 13 | v1 >> 51) & _MASK) ^ v0
        v0 = (v0 << 32 | v0 >> 32) & _MASK
        v2 = (v2 + v3) & _MASK
        v3 = ((v3 << 16 | v3 >> 48) & _MASK) ^ v2
        v0 = (v0 + v3) & _MASK
        v3 = ((v3 << 21 | v3 >> 43) & _MASK) ^ v0
        v2 = (v2 + v1) & _MASK
        v1 = ((v1 << 17 | v1 >> 47) & _MASK) ^ v2
        v2 = (v2 << 32 | v2 >> 32) & _MASK
    return v0, v1, v2, v3
