"""What a node of ours shows another one: who it is, and that what it says is its own. PURE.

Owns: `issue` and `check`, the field `Perigee-Passport`, and what it covers: the node's name, the time, the method, the
authority, the target, and all fields of ours (`Perigee-*`) beside itself, each length-prefixed, under HMAC-SHA256 with a
secret that the nodes of a network share. Rules: the first secret signs, any of them is good, so that secrets are changed one
node after the other; a passport is old after half a minute, and until then whoever reads the traffic could show it again, to
any node of the network, for the same method and target. Of a GET he learns what he could read already; but a POST is made
once more, and with another body or other fields, which are not covered. So keep the traffic between nodes in a private
network or a tunnel.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256

from edge.semantics.message import Fields, UnixSeconds

PASSPORT = b"Perigee-Passport"
LIFE_SECONDS = 30.0
"""Either way: clocks of nodes differ by less, or their network has other worries."""

_OURS = b"perigee-"
_NAME = PASSPORT.lower()
_FORM = re.compile(rb"([A-Za-z0-9][A-Za-z0-9._\-]{0,63}) ([0-9]{1,12}) ([0-9a-f]{64})")


def issue(
    node: bytes,
    now: UnixSeconds,
    secret: bytes,
    *,
    method: bytes,
    authority: bytes,
    target: bytes,
    fields: Fields,
) -> bytes:
    """The value of the field. authority: as in Host; fields: those of the request, complete but for this one."""
    at = b"%d" % now
    return b"%b %b %b" % (node, at, _seal(secret, node, at, method, authority, target, fields))


def check(
    value: bytes | None,
    now: UnixSeconds,
    secrets: Sequence[bytes],
    *,
    method: bytes,
    authority: bytes,
    target: bytes,
    fields: Fields,
) -> bytes | str:
    """The name of the node that asks; or, as text, why it is none of ours. fields: as they came, with or without it."""
    if value is None:
        return "no passport"
    found = _FORM.fullmatch(value)
    if found is None:
        return "malformed passport"
    node, at, seal = found.groups()
    if abs(now - int(at)) > LIFE_SECONDS:
        return "old passport"
    for secret in secrets:
        if hmac.compare_digest(seal, _seal(secret, node, at, method, authority, target, fields)):
            return node
    return "forged passport"


def _seal(
    secret: bytes, node: bytes, at: bytes, method: bytes, authority: bytes, target: bytes, fields: Fields
) -> bytes:
    ours = sorted((name.lower(), value) for name, value in fields.lines if name.lower().startswith(_OURS))
    parts = [node, at, method, authority, target]
    for name, value in ours:
        if name != _NAME:
            parts += (name, value)
    said = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hmac.new(secret, said, sha256).hexdigest().encode()
