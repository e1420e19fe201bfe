"""One connection to one server of the bus.

Owns: `dial`, and with it how we use nats-py. Rules:
* nats-py connects once and never again by itself: its own reconnecting gives up for ever on some errors, and what was
  under way is left hanging (edge.bus.connection makes a new connection instead);
* who asked for TLS gets TLS or nothing: a server that says it needs none would be sent the token in the clear;
* files with secrets are read anew for each connection, and looked at first: nats-py loops for ever on a .creds file
  without a credential in it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nats.aio.client import Client, RawCredentials
from nats.errors import Error as NatsError

from edge.bus.address import BusAddress
from edge.bus.faults import BusLost

PING_SECONDS = 1
MAX_SILENT_PINGS = 2
"""A server that froze is noticed after three seconds; nats-py's own two minutes are for people who wait."""

DIAL_SECONDS = 2
"""For each of: TCP, the server's greeting, TLS, its answer to ours."""

MAX_PENDING_BYTES = 8 * 1024 * 1024
FLUSH_SECONDS = 2.0
MAX_SECRET_BYTES = 64 * 1024

OnError = Callable[[Exception], Awaitable[None]]
OnClosed = Callable[[], Awaitable[None]]


class _TlsOrNothing(Client):
    """A client that speaks TLS whatever the server's greeting says: that one comes in the clear."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection:
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)


async def dial(address: BusAddress, url: str, *, name: str, on_error: OnError, on_closed: OnClosed) -> Client:
    """A client that is connected to `url`. BusLost when that does not work; nothing is left behind then.

    on_closed: the connection ended, whoever ended it.
    """
    client: Client | None = None
    is_connected = False
    try:
        tls = None
        if url.startswith("tls:") or address.ca_file or address.cert_file:
            tls = await asyncio.to_thread(_tls_of, address)
        who = await asyncio.to_thread(_who, address)
        client = Client() if tls is None else _TlsOrNothing()
        async with asyncio.timeout(4 * DIAL_SECONDS):
            await client.connect(
                servers=[url],
                name=name,
                error_cb=on_error,
                closed_cb=on_closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=DIAL_SECONDS,
                ping_interval=PING_SECONDS,
                max_outstanding_pings=MAX_SILENT_PINGS,
                pending_size=MAX_PENDING_BYTES,
                flush_timeout=FLUSH_SECONDS,
                tls=tls,
                **who,
            )
        is_connected = True
    except BusLost:
        raise
    except Exception as error:  # whatever nats-py or a file does: it must not end our trying
        why = reason_of(error)
        if "uthorization" in why:
            why += "; it does not know us by nats.token, nats.nkey or nats.credentials as they are set"
        raise BusLost(f"{url}: {why}") from error
    finally:
        if client is not None and not is_connected:
            await let_go(client)
    return client


async def let_go(client: Client) -> None:
    """Close it, whatever state it is in. A peer that froze is not waited for."""
    with suppress(OSError, NatsError, RuntimeError, AssertionError):  # AssertionError: it was never connected
        async with asyncio.timeout(FLUSH_SECONDS):
            await client.close()


def reason_of(error: Exception) -> str:
    """In one line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


def _tls_of(address: BusAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=address.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.cert_file is not None:
        context.load_cert_chain(address.cert_file, address.key_file)
    return context


def _who(address: BusAddress) -> dict[str, Any]:
    """Arguments for nats-py that say who we are."""
    said: dict[str, Any] = {}
    if address.credentials is not None:
        text = _secret(address.credentials)
        if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
            raise BusLost(f"nats.credentials: {address.credentials} is no .creds file")
        said["user_credentials"] = RawCredentials(text)
    if address.nkey is not None:
        seeds = [line for line in _secret(address.nkey).split() if line.startswith("SU")]
        if len(seeds) != 1:
            raise BusLost(f"nats.nkey: {address.nkey} has no seed of a user, a line that begins with SU")
        said["nkeys_seed_str"] = seeds[0]
    if address.token is not None:
        said["token"] = address.token
    return said


def _secret(path: str) -> str:
    with Path(path).open("rb") as file:
        return file.read(MAX_SECRET_BYTES).decode("ascii", "replace")
