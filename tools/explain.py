"""`perigee explain`: ask for a URL as a client would, and say what a shared cache makes of the answer.

Owns: the fetch and the print-out; `tools.explaining` has the reasons. One request is sent, nothing is stored here; asked
through an edge, its Cache-Status shows what it did. The body is not read.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from rich.console import Console
from rich.table import Table
from rich.text import Text
from yarl import URL

from edge.errors import ConfigFault, UpstreamFault
from edge.semantics.message import Authority, Fields, Line, RequestHead, ResponseHead, UnixSeconds
from edge.semantics.rules import SiteRules
from tools.explaining import Explanation, Fetch, as_json, as_lines, explain

TIMEOUT_SECONDS = 30.0


def run(url: str, headers: Sequence[str], *, method: str, config: Path | None, to_json: bool) -> int:
    """Explain `url`; 0, or an EdgeError. headers: "Name: value". config: whose site's rules apply, None = defaults."""
    target = _parsed(url)
    lines = [line_of(header) for header in headers]
    authority = Authority(target.scheme.encode(), (target.raw_host or "").encode(), target.port or 0)
    request = RequestHead(
        method.upper().encode(),
        authority,
        target.raw_path_qs.encode(),
        Fields((*lines, (b"Host", authority.render()))),
    )
    rules = SiteRules() if config is None else _rules(config, request)
    said = explain(asyncio.run(_fetch(target, request, lines)), rules)
    if to_json:
        print(json.dumps({"url": url, **as_json(said)}))
    else:
        _show(said)
    return 0


def _parsed(url: str) -> URL:
    try:
        target = URL(url, encoded=True) if url.isascii() and url.isprintable() else None
        port = None if target is None else target.port  # reads it: a bad one is a ValueError
    except ValueError:
        target = port = None
    if target is None or target.scheme not in {"http", "https"} or not target.raw_host or port is None:
        raise ConfigFault(f"{url!r} is no URL to ask for; write http://HOST[:PORT]/PATH or https://...")
    return target


def line_of(header: str) -> Line:
    """A request field as written, "Name: value". ConfigFault."""
    name, colon, value = header.partition(":")
    if not (colon and name and name.isascii() and name.isprintable() and value.isprintable()):
        raise ConfigFault(f"{header!r} is no header; write 'Name: value'")
    return name.strip().encode(), value.strip().encode("utf-8")


def _rules(config: Path, request: RequestHead) -> SiteRules:
    from edge.settings.load import load_node

    settings = load_node(config)
    rules = settings.sites.find(request.authority.host)
    if rules is None:
        raise ConfigFault(f"no site in {config} names the host {request.authority.host.decode()}")
    return rules


async def _fetch(target: URL, request: RequestHead, lines: Sequence[Line]) -> Fetch:
    headers = [(name.decode(), value.decode("utf-8")) for name, value in lines]
    session = ClientSession(
        timeout=ClientTimeout(total=TIMEOUT_SECONDS),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent", "Accept"),
    )
    async with session:
        sent = UnixSeconds(time.time())
        try:
            answer = await session.request(
                request.method.decode(), target, headers=headers, allow_redirects=False
            )
        except (ClientError, TimeoutError) as error:
            detail = f"{target}: {str(error) or 'no answer in time'}"
            raise UpstreamFault(detail, proxy_status="destination_unavailable") from error
        received = UnixSeconds(time.time())
        answer.close()
        return Fetch(request, _head(answer), sent, received)


def _head(answer: ClientResponse) -> ResponseHead:
    return ResponseHead(answer.status, (answer.reason or "").encode("latin-1"), Fields(answer.raw_headers))


def _show(said: Explanation) -> None:
    table = Table.grid(padding=(0, 2))
    for what, line in as_lines(said):
        table.add_row(Text(what, style="bold"), Text(line))
    Console().print(table)
