"""The purge API, as the command line speaks it: each request signed where there is a key, each answer read as JSON.

Owns: `PurgeClient`. Rules: what is sent is what was signed, byte for byte; an answer that is an error is `Refused`, with the
words of the node; one that did not come, or is no JSON, is an UpstreamFault.
"""

from __future__ import annotations

import json
import secrets
import time
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from edge.errors import ClientFault, ConfigFault, EdgeError, UpstreamFault
from edge.purge.signing.sign import SigningKey, request_to, sign
from edge.semantics.message import Fields, Line
from tools.sign import NONCE_BYTES

TIMEOUT_SECONDS = 30.0
"""More than the log may take to acknowledge an order."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024


class Refused(EdgeError):
    """The node says no. said: the whole of what it says."""

    def __init__(self, said: dict[str, Any], status: int) -> None:
        words = [str(said.get("detail") or said.get("title") or f"status {status}"), said.get("instead")]
        super().__init__(f"{said.get('reason', status)}: {'; '.join(str(word) for word in words if word)}")
        self.said = said
        self.answered = status

    @property
    def is_misuse(self) -> bool:
        """Whether what was asked for is wrong in itself."""
        return self.answered in {400, 413, 422}


class PurgeClient:
    """api: URL of a node's admin address or purge.listen. key: None = nothing is signed. option: that named api.

    A context; ConfigFault where api is no URL.
    """

    def __init__(self, api: str, key: SigningKey | None = None, *, option: str = "--api") -> None:
        self._option = option
        self._api = api.rstrip("/")
        self._key = key
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        try:
            request_to(self._api + "/")
        except ClientFault as fault:
            raise ConfigFault(f"{self._option}: {fault.detail}") from None
        self._session = ClientSession(
            timeout=ClientTimeout(total=TIMEOUT_SECONDS), cookie_jar=DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, target: str, said: dict[str, Any]) -> dict[str, Any]:
        """Send an object. Raises Refused, UpstreamFault."""
        return await self._ask("POST", target, json.dumps(said, separators=(",", ":")).encode())

    async def get(self, target: str) -> dict[str, Any]:
        """What is told there. Raises as `post`."""
        return await self._ask("GET", target, b"")

    async def _ask(self, method: str, target: str, body: bytes) -> dict[str, Any]:
        assert self._session is not None, "not entered"
        url = self._api + target
        fields = Fields([(b"Content-Type", b"application/json")] if body else [])
        lines = (*fields, *self._signed(method, url, fields, body))
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in lines]
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                data = await answer.content.read(MAX_ANSWER_BYTES)
                while not answer.content.at_eof() and len(data) < MAX_ANSWER_BYTES:
                    data += await answer.content.read(MAX_ANSWER_BYTES - len(data))
                status = answer.status
        except (ClientError, TimeoutError) as error:
            raise UpstreamFault(f"{url}: {str(error) or 'no answer in time'}") from None
        said = _read(data)
        if said is None:
            raise UpstreamFault(f"{url} answers {status}, and no JSON: is it a node's admin address?")
        if status >= 400:
            raise Refused(said, status)
        return said

    def _signed(self, method: str, url: str, fields: Fields, body: bytes) -> tuple[Line, ...]:
        if self._key is None:
            return ()
        message = request_to(url, method=method, fields=fields, body=body)
        return sign(message, self._key, now=time.time(), nonce=secrets.token_urlsafe(NONCE_BYTES))


def _read(data: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
