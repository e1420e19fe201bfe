"""Orders and reports survive the line between two processes."""

from __future__ import annotations

import hashlib
import inspect

import pytest

from edge.server.orders import (
    PROTOCOL,
    Applied,
    Certify,
    Drain,
    Drained,
    End,
    Failed,
    Ready,
    Reload,
    Reopen,
    Retire,
    Seal,
    Show,
    Start,
    decode,
    encode,
)

MESSAGES = [
    Start(1, 2, "/run/perigee", (5, 6), {"config": None, "overrides": {"origin": "http://a"}}),
    Start(0, 1, "/run/perigee", (), {}, {"address": {"urls": ["nats://a:1"]}, "instance": "i"}),
    Start(0, 1, "/run/perigee", (), {}, state={"pops": {}, "nodes_out": []}),
    Start(0, 1, "/run/perigee", (5, 6, 7), {}, tls_sockets=2),
    Certify([["a", "a.crt", "chain\n", "key\n"]], [["ca.pem", "x"]], more=False, at_once=True),
    Seal("00" * 32, "11" * 32),
    Seal("00" * 32),
    Reload(),
    Reopen(),
    Show({"pops": {"fra": ["down", 0.0, 1.0, 0.0, None]}, "nodes_out": ["fra-1"]}),
    Start(0, 1, "/run/perigee", (), {}, protocol=0, is_rehearsal=True),
    Drain(2.5),
    Retire(2.5),
    End(),
    Ready(),
    Failed("line one\nline two"),
    Drained(3),
    Applied("0123456789abcdef", 7, caught_up=True, proven_at=1.5),
    Applied("", 0, caught_up=False, proven_at=None),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_one_line_and_comes_back_as_it_was(message):
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"{}", b'{"is": "Nothing"}', b'{"is": "Drain"}'])
def test_what_is_no_message_is_refused(line: bytes):
    with pytest.raises(ValueError):
        decode(line)


def test_another_form_of_a_message_is_another_protocol():
    """A worker that was upgraded under its supervisor finds out before it serves anybody: move PROTOCOL, then this."""
    form = [
        (type(message).__name__, list(inspect.signature(type(message)).parameters)) for message in MESSAGES
    ]
    digest = hashlib.blake2b(repr(sorted(set(map(repr, form)))).encode(), digest_size=8).hexdigest()
    assert (PROTOCOL, digest) == (1, "5c08ea87fb1133ba")
