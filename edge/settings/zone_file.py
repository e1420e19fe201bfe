"""From `[[zone]]` and its `[[zone.record]]` to `Zone`. PURE. RFC 1034 s3.6, s4.2.1, RFC 1035 s5.2, RFC 2181 s5, s10.

Owns: `read_zone` and what a zone must hold together: a CNAME stands alone and never at the zone itself, the records of a name
and type stand once, a name server within the zone has an address in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge.settings.composed import ListOf
from edge.settings.dns import RecordType, StaticRecord, Zone
from edge.settings.dns_kinds import MAX_NAME, ValueOf
from edge.settings.dns_schema import RECORD, ZONE
from edge.settings.document import Document
from edge.settings.elements import array_of_tables, read_element
from edge.settings.problems import Path, Problem, Refused, quoted

MAX_VALUES = 100


@dataclass(frozen=True, slots=True)
class _Placed:
    """A record and where it stands."""

    record: StaticRecord
    base: Path


def read_zone(
    document: Document,
    table: Mapping[str, object],
    *,
    base: Path,
    env: Mapping[str, str],
    changed: int,
    into: list[Problem],
) -> Zone:
    """A zone with its records. changed: unix seconds, the serial where none is written. into: gets problems."""
    before = len(into)
    values = read_element(document, table, ZONE, base=base, env=env, into=into, besides=frozenset({"record"}))
    zone = ZONE.build(values)
    if zone.serial is None:
        zone = replace(zone, serial=changed % 2**32)
    placed: list[_Placed] = []
    for at, element in array_of_tables(document, table, "record", base=base, into=into):
        record = _read_record(document, element, at, zone, env, into)
        if record is not None:
            placed.append(_Placed(record, at))
    zone = replace(zone, records=tuple(one.record for one in placed))
    if len(into) == before:
        into += _disorders(document, base, zone, placed)
    return zone


def _read_record(
    document: Document,
    table: Mapping[str, object],
    base: Path,
    zone: Zone,
    env: Mapping[str, str],
    into: list[Problem],
) -> StaticRecord | None:
    values = read_element(document, table, RECORD, base=base, env=env, into=into)
    name, kind, texts = values.get("name"), values.get("type"), values.get("values")
    if not isinstance(name, bytes) or not isinstance(kind, RecordType) or not isinstance(texts, tuple):
        return None
    try:
        read = ListOf(ValueOf(kind), MAX_VALUES).read(list(texts))
    except Refused as refusal:
        into += [document.problem((*base, "values", *f.at), f.wrong, f.instead) for f in refusal.faults]
        return None
    whole = zone.origin if name == b"@" else name + b"." + zone.origin
    if len(whole) > MAX_NAME:
        wrong = f"with its zone it is {len(whole)} characters long"
        into.append(document.problem((*base, "name"), wrong, f"allowed: {MAX_NAME}"))
        return None
    return replace(RECORD.build(values), name=whole, values=read)


def _disorders(document: Document, base: Path, zone: Zone, placed: list[_Placed]) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[tuple[bytes, RecordType], Path] = {}
    for one in placed:
        record, kind = one.record, one.record.type
        first = seen.setdefault((record.name, kind), one.base)
        if first is not one.base:
            wrong = f"{shown_name(record.name)} has {kind.value} records above already"
            problems.append(document.problem(one.base, wrong, "write all its values there"))
        elif record.name == zone.origin and kind in {RecordType.NS, RecordType.CNAME}:
            instead = "write them in ns of the zone"
            if kind is RecordType.CNAME:
                instead = "write the addresses themselves, or a [[route]] for it (RFC 1912 s2.4)"
            wrong = f"a zone itself has no {kind.value} records of this kind"
            problems.append(document.problem((*one.base, "type"), wrong, instead))
        elif kind is RecordType.CNAME and len(record.values) > 1:
            wrong = f"a name has one CNAME, not {len(record.values)}"
            problems.append(document.problem((*one.base, "values"), wrong, "write one (RFC 2181 s10.1)"))
    names = {record.name for record in zone.records if record.type is RecordType.CNAME}
    problems += [
        document.problem(
            one.base,
            f"{shown_name(one.record.name)} has a CNAME, and then it has nothing else (RFC 1034 s3.6.2)",
            "leave one of both out",
        )
        for one in placed
        if one.record.name in names and one.record.type is not RecordType.CNAME
    ]
    problems += [
        document.problem(
            (*base, "ns", index),
            f"{shown_name(server)} is one label, and names are whole ones here",
            f"write {shown_name(server + b'.' + zone.origin)}, if that is meant",
        )
        for index, server in enumerate(zone.ns)
        if b"." not in server
    ]
    glued = {r.name for r in zone.records if r.type in {RecordType.A, RecordType.AAAA}}
    if zone.file is not None:  # they may have their addresses there
        return problems
    problems += [
        document.problem(
            (*base, "ns", index),
            f"{shown_name(server)} is within the zone and has no address in it",
            "write a [[zone.record]] of type A or AAAA for it",
        )
        for index, server in enumerate(zone.ns)
        if zone.holds(server) and server not in glued
    ]
    return problems


def shown_name(name: bytes) -> str:
    """A name as it is quoted back."""
    return quoted(name.decode("ascii"))
