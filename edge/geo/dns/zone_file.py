"""Zone files (RFC 1035 s5), read by dnspython.

Owns: `records_in`. Rules: $INCLUDE is refused (a file names no other file), everything is checked that dnspython checks, and
what is wrong is said in its words, with the file and, where it knows, the line or the one behind it. Records outside of the
zone are left out. For starting and reloading only: it is slow, and nothing here is on the way of a query.
"""

from __future__ import annotations

import dns.exception
import dns.name
import dns.rdataclass
import dns.zone

from edge.geo.dns.names import Name, text_of
from edge.geo.dns.rdata import rdata_of
from edge.geo.dns.zone import BadZone, Record


def records_in(text: str, origin: Name, *, file: str) -> list[Record]:
    """All records of a zone file. file: its name in messages. Raises BadZone."""
    apex = dns.name.from_wire(origin, 0)[0]
    try:
        zone = dns.zone.from_text(
            text, apex, relativize=False, filename=file, allow_include=False, check_origin=False
        )
    except (dns.exception.DNSException, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise BadZone(said if said.startswith(f"{file}:") else f"{file}: {said}") from None
    records: list[Record] = []
    for name, ttl, rdata in zone.iterate_rdatas():
        if rdata.rdclass != dns.rdataclass.IN:
            raise BadZone(f"{file}: {name}: only class IN is served")
        wire = rdata.to_wire()
        assert wire is not None, "to_wire without a file returns octets"
        owner = Name(name.canonicalize().to_wire() or b"\0")
        records.append(Record(owner, int(rdata.rdtype), int(ttl), rdata_of(int(rdata.rdtype), wire)))
    if not records:
        raise BadZone(f"{file}: there is nothing in it for {text_of(origin)}")
    return records
