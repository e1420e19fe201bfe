"""The form of an access log line, as the operator writes it. PURE.

Owns: the names that may stand in it, and `pieces`. Rules: `{name}` is replaced, `{{` and `}}` are braces, everything else
stands as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "time": "when it ended, RFC 3339 with milliseconds, UTC",
        "clock": "the same as Apache writes it",
        "unix": "the same in unix seconds",
        "client": "address of the client, as trusted proxies tell it",
        "peer": "address of the connection's other end",
        "request": "the request line as sent",
        "method": "",
        "scheme": "http or https",
        "host": "name the request was for",
        "target": "path and query as sent",
        "protocol": "HTTP/1.0 or HTTP/1.1",
        "status": "",
        "bytes": "of the body that were sent",
        "seconds": "from the end of the request's head to the last byte of the response",
        "whole": "true, or false where the response was cut off",
        "site": "",
        "cache": "hit, stale, or the RFC 9211 fwd token",
        "because": "the reason of the decision",
        "stored": "true where the response was stored",
        "collapsed": "true where it came from another request's fill",
        "detail": "what went wrong, where we answered with an error of our own",
        "referer": "",
        "user_agent": "",
    }
)
"""Each with what it stands for, "" where the name says it."""

_PIECE = re.compile(r"\{\{|\}\}|\{([a-z_]*)\}|[^{}]+")


class BadFormat(ValueError):
    """Says what is wrong, and what to write."""


def pieces(form: str) -> tuple[tuple[str, str], ...]:
    """(text, name) pairs: text to stand before the value of a name; the last name is "". BadFormat."""
    found: list[tuple[str, str]] = []
    text, at = "", 0
    while at < len(form):
        piece = _PIECE.match(form, at)
        if piece is None:
            raise BadFormat(f"the brace at character {at + 1} has no partner; write {{{{ or }}}} for a brace")
        at = piece.end()
        name = piece[1]
        if name is None:
            text += piece[0].replace("{{", "{").replace("}}", "}")
        elif name in NAMES:
            found.append((text, name))
            text = ""
        else:
            raise BadFormat(f"{{{name}}} is not known; there are {', '.join(NAMES)}")
    return (*found, (text, ""))
