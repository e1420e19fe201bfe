"""A message is made of what the edge has read."""

from __future__ import annotations

from edge.purge.signing.message import Message
from edge.semantics.message import Authority, Fields, RequestHead


def test_a_message_of_a_head():
    authority = Authority(b"http", b"shop.example", 80)
    fields = Fields([(b"Signature", b"a=:AAAA:")])
    head = RequestHead(b"PURGE", authority, b"/a?b", fields)
    assert Message.of(head) == Message(b"PURGE", authority, b"/a?b", fields, b"")
    assert Message.of(head, b"body").body == b"body"
