"""Opening one connection: TCP, TLS over TCP, or a Unix socket.

Owns: `dial` and the TLS contexts. Rules: the address was resolved and allowed before; TLS is 1.2 or later,
verified against the system's or the site's own authorities and against the name, unless the site says
otherwise; reading certificates from disk happens on a thread. RFC 9110 s4.3.4, RFC 8446.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import UpstreamFault
from edge.fill.connection import Connection
from edge.fill.failures import unreachable


@dataclass(frozen=True, slots=True)
class Tls:
    """server_name: for SNI and verification."""

    context: ssl.SSLContext
    server_name: str


class TlsContexts:
    """Contexts by (verify, CA file), made once each."""

    def __init__(self) -> None:
        self._made: dict[tuple[bool, str | None], ssl.SSLContext] = {}

    async def get(self, *, verify: bool, ca_file: str | None) -> ssl.SSLContext:
        """The context for these settings. Raises UpstreamFault when the CA file cannot be used."""
        context = self._made.get((verify, ca_file))
        if context is None:
            try:
                context = await asyncio.to_thread(_make, verify, ca_file)
            except (OSError, ssl.SSLError) as error:
                raise UpstreamFault(
                    f"tls_ca_file {ca_file}: {error}", proxy_status="proxy_configuration_error"
                ) from error
            self._made[verify, ca_file] = context
        return context


def _make(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def dial(make: Callable[[str], Connection], host: str, port: int, tls: Tls | None) -> Connection:
    """Connect to an IP address, or to "unix:/path" (then there is no TLS and no port).

    make: given "ip:port" or "unix:/path". Raises UpstreamFault; the caller bounds the time.
    """
    loop = asyncio.get_running_loop()
    path = host.removeprefix("unix:")
    where = host if path != host else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if path != host:
            _, connection = await loop.create_unix_connection(lambda: make(where), path)
        elif tls is None:
            _, connection = await loop.create_connection(lambda: make(where), host, port)
        else:
            _, connection = await loop.create_connection(
                lambda: make(where), host, port, ssl=tls.context, server_hostname=tls.server_name
            )
    except OSError as error:  # ssl.SSLError is one, TimeoutError another
        raise unreachable(where, error) from error
    return connection
