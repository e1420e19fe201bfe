"""Session tickets that every worker of a node can open. RFC 5077, RFC 8446 s4.6.1.

Owns: `TicketKeys` and the one way from Python to OpenSSL's ticket keys. Python's ssl has none, so the pointer to the SSL_CTX is
read from behind the header of the object that Python has for it, and `SSL_CTX_ctrl` is called in the library that Python
itself loaded. Rules: this is done only where `edge.tls.ticket_trial`, in a process of its own, found that it works; where it
does not, each worker has keys of its own, and a client is recognised by the worker that it had met.

A ticket stands for all that the handshake had shown: for the certificate of a client, too. So the keys of a policy are derived
from the node's secret and the policy: a ticket from a site that asks nobody is no ticket where a certificate is asked for, and
Python's session id context, which is the same for all contexts, is not relied on. Secrets are never written down; a new one
comes every few hours, and the former one still opens what it sealed.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import field
from functools import cache

from edge.values import value
from edge.wire.client_hello import TICKET_NAME_BYTES

SECRET_BYTES = 32
KEY_BYTES = 80
"""OpenSSL 3: a name of 16, a key for HMAC of 32, one for AES-256 of 32."""

_GET_KEYS, _SET_KEYS, _SESSION_CACHE = 58, 59, 44
"""SSL_CTRL_GET_TLSEXT_TICKET_KEYS, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, SSL_CTRL_SET_SESS_CACHE_MODE."""


@value(frozen=True, slots=True)
class TicketSecrets:
    """current: seals and opens. former: opens; None = there was none."""

    current: bytes = field(repr=False)
    former: bytes | None = field(default=None, repr=False)


@value(frozen=True, slots=True)
class TicketKeys:
    """Of one policy. former: None = there is none."""

    current: bytes = field(repr=False)
    former: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, secrets: TicketSecrets, policy: bytes) -> TicketKeys:
        """policy: what is asked of the client, in any form that differs where that does."""
        former = None if secrets.former is None else _derived(secrets.former, policy)
        return cls(_derived(secrets.current, policy), former)

    def is_former(self, ticket: bytes) -> bool:
        """Whether the former key sealed a ticket that begins like this."""
        return bool(ticket) and self.former is not None and self.former.startswith(ticket)


def _derived(secret: bytes, policy: bytes) -> bytes:
    def part(number: int, size: int) -> bytes:
        person = b"perigee %d" % number
        return hashlib.blake2b(policy, key=secret, digest_size=size, person=person).digest()

    return part(1, TICKET_NAME_BYTES) + part(2, 64)


def set_keys(context: ssl.SSLContext, keys: bytes) -> None:
    """Seal and open tickets with these, `KEY_BYTES`, from now on. RuntimeError when OpenSSL does not take them."""
    assert len(keys) == KEY_BYTES, len(keys)
    if _control(context, _SET_KEYS, len(keys), keys) != 1:
        raise RuntimeError("OpenSSL took no ticket keys")


def get_keys(context: ssl.SSLContext) -> bytes:
    """Those of a context. RuntimeError when OpenSSL does not tell."""
    import ctypes  # noqa: PLC0415  # as in `_library`

    held = ctypes.create_string_buffer(KEY_BYTES)
    if _control(context, _GET_KEYS, KEY_BYTES, held) != 1:
        raise RuntimeError("OpenSSL told no ticket keys")
    return held.raw


def without_session_cache(context: ssl.SSLContext) -> None:
    """Keep no sessions of TLS 1.2 in memory, 20,000 for each certificate: tickets do what they would do."""
    _control(context, _SESSION_CACHE, 0, None)


def _control(context: ssl.SSLContext, command: int, number: int, pointer: object) -> int:
    import ctypes  # noqa: PLC0415  # as in `_library`

    behind_header = id(context) + object.__basicsize__
    held = ctypes.c_void_p.from_address(behind_header)
    return int(_library()(held, command, number, pointer))


@cache
def _library() -> Callable[..., int]:
    """`SSL_CTX_ctrl`, of the OpenSSL that Python's ssl has. AttributeError, OSError where it cannot be found."""
    # Only where it is asked for: where memory may not be made executable, ctypes may not be imported at all.
    import _ssl  # noqa: PLC0415
    import ctypes  # noqa: PLC0415

    call = ctypes.CDLL(getattr(_ssl, "__file__", None)).SSL_CTX_ctrl
    call.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
    call.restype = ctypes.c_long
    return call
