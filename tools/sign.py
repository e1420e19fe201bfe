"""`perigee sign`: the header lines that make a request a signed one, for curl and whatever else sends requests.

Owns: the print-out. The signature is edge.purge.signing.sign's.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigFault
from edge.purge.signing.faults import Rejected
from edge.purge.signing.private_keys import read_private
from edge.purge.signing.sign import SigningOptions, request_to, sign
from edge.semantics.message import Fields, Line

NONCE_BYTES = 18
"""24 characters."""

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be signed. data: a file, "-" = standard input, None = no body. headers: 'Name: value'.

    keyid: None = the key file's name without .pem. expires_after: seconds, None = as long as nodes allow.
    """

    url: str
    key: Path
    method: str
    data: str | None = None
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    keyid: str | None = None
    expires_after: int | None = None


def run(asked: Asked, *, to_json: bool) -> int:
    """Print the lines to be added, as arguments of curl or as a JSON object. ConfigFault, ClientFault."""
    lines = signed(asked)
    if to_json:
        fields = Fields(lines)
        print(
            json.dumps(
                {name.decode(): (fields.combined(name) or b"").decode("latin-1") for name in fields.names()}
            )
        )
    else:
        headers = (shlex.quote((b"%b: %b" % line).decode("latin-1")) for line in lines)
        print(" \\\n".join(f"-H {header}" for header in headers))
    return 0


def signed(asked: Asked) -> tuple[Line, ...]:
    """The request's own headers and those that sign it."""
    key = read_private(asked.key, asked.keyid)
    body = _body(asked.data)
    given = Fields(_line(header) for header in asked.headers)
    if body and b"content-type" not in given:
        given = given.with_added((b"Content-Type", asked.content_type.encode("latin-1", "replace")))
    message = request_to(asked.url, method=asked.method, fields=given, body=body)
    options = SigningOptions(expires_after=asked.expires_after)
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    try:
        return (*given, *sign(message, key, now=time.time(), nonce=nonce, options=options))
    except Rejected as rejected:
        raise ConfigFault(f"this cannot be signed: {rejected.refused.detail}") from None


def _body(data: str | None) -> bytes:
    if data is None:
        return b""
    if data == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(data).read_bytes()
    except OSError as error:
        raise ConfigFault(f"{data} cannot be read: {error.strerror or error}") from None


def _line(header: str) -> Line:
    found = _HEADER.fullmatch(header)
    if found is None:
        raise ConfigFault(f"{header!a} is no header; write 'Name: value'")
    return found[1].encode("ascii"), found[2].strip(" \t").encode("latin-1", "replace")
