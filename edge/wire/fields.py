"""A field section split into what travels on and what belongs to this hop. PURE. RFC 9110 s7.6.1.

Owns: `Section`. The head parsers use it once per message; everything behind them sees end-to-end fields only.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.semantics.message import Fields, Line
from edge.wire.grammar import HOP_BY_HOP, NOT_STRIPPABLE, connection_options

_OURS = HOP_BY_HOP | {b"content-length", b"host", b"expect"}
_NO_OPTIONS: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """end_to_end: what may travel on. hop: lower-case name -> values of hop-by-hop, framing, Host, Expect lines.

    options: lower-case Connection members.
    """

    end_to_end: Fields
    hop: dict[bytes, list[bytes]]
    options: frozenset[bytes]


def read_section(section: bytes, keep: frozenset[bytes] = frozenset()) -> Section:
    """Split a section that grammar.FIELD_SECTION matched.

    keep: names of `hop` kind that also travel on (lower case).
    """
    lines: list[Line] = []
    index: dict[bytes, list[bytes]] = {}
    hop: dict[bytes, list[bytes]] = {}
    for line in section.split(b"\r\n"):
        if not line:
            continue
        name, _, raw = line.partition(b":")
        value = raw.strip(b" \t")
        key = name.lower()
        if key in _OURS:
            hop.setdefault(key, []).append(value)
            if key not in keep:
                continue
        lines.append((name, value))
        held = index.get(key)
        if held is None:
            index[key] = [value]
        else:
            held.append(value)
    fields = Fields.indexed(tuple(lines), index)
    said = hop.get(b"connection")
    if said is None:
        return Section(fields, hop, _NO_OPTIONS)
    options = connection_options(said)
    return Section(fields.without(options - NOT_STRIPPABLE), hop, options)
