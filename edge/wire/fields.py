"""A field section split into what travels on and what belongs to this hop. PURE. RFC 9110 s7.6.1.

Owns: `Section`. The head parsers use it once per message; everything behind them sees end-to-end fields only.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.semantics.message import Fields, Line
from edge.wire.grammar import HOP_BY_HOP, NOT_STRIPPABLE, connection_options

_OURS = HOP_BY_HOP | {b"content-length", b"host", b"expect"}
_USUAL = (b"host", b"connection")
_UNUSUAL = _OURS - set(_USUAL)
_NO_OPTIONS: frozenset[bytes] = frozenset()


class Section(NamedTuple):
    """end_to_end: what may travel on. hop: lower-case name -> values of hop-by-hop, framing, Host, Expect lines.

    options: lower-case Connection members.
    """

    end_to_end: Fields
    hop: dict[bytes, list[bytes]]
    options: frozenset[bytes]


def sort_lines(lines: list[Line], keep: frozenset[bytes] = frozenset()) -> Section:
    """Split the lines of a section that the grammar took.

    keep: names of `hop` kind that also travel on (lower case).
    """
    # One look-up table at the speed of C; what is no ordinary request or response pays for being different.
    first = dict(zip([line[0].lower() for line in lines], lines))  # noqa: B905  # of one length by their making; the check costs
    if len(first) < len(lines):
        fields, hop = _sorted_out(lines, keep)
    else:
        hop = {}
        for name in _USUAL if _UNUSUAL.isdisjoint(first) else _OURS & first.keys():
            line = first.get(name) if name in keep else first.pop(name, None)
            if line is not None:
                hop[name] = [line[1]]
        fields = Fields.unrepeated(first)
    said = hop.get(b"connection")
    if said is None:
        return Section(fields, hop, _NO_OPTIONS)
    options = connection_options(said)
    if not options.isdisjoint(fields.names()):
        fields = fields.without(options - NOT_STRIPPABLE)
    return Section(fields, hop, options)


def _sorted_out(lines: list[Line], keep: frozenset[bytes]) -> tuple[Fields, dict[bytes, list[bytes]]]:
    """The same where a name stands on several lines."""
    hop: dict[bytes, list[bytes]] = {}
    rest: list[Line] = []
    for line in lines:
        name = line[0].lower()
        if name in _OURS:
            hop.setdefault(name, []).append(line[1])
            if name not in keep:
                continue
        rest.append(line)
    return Fields(rest), hop
