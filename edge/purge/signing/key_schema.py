"""The settings of a key file. PURE.

Owns: every setting of a key file, and the kinds that only key files have. Rules: edge.settings.schema.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.purge.signing.keys import ALL_KINDS, Algorithm, Key, KeyState, ScopeKind
from edge.purge.signing.verify import MAX_KEYID
from edge.semantics.message import UnixSeconds
from edge.settings.composed import ListOf, Or, SetOf
from edge.settings.kinds import Choice, Flag, Kind, Name, Text
from edge.settings.problems import quoted, refused, shown
from edge.settings.schema import Schema, Setting

MIN_SECRET, MAX_SECRET = 32, 256
"""Bytes. RFC 2104 s3: shorter than the hash's output weakens it; longer than its block adds nothing."""
MAX_SITES = 1_000


@dataclass(frozen=True, slots=True)
class Base64(Kind[bytes]):
    """Bytes in base64. min, max: their number. what: with an article. It never quotes what was written."""

    min: int
    max: int
    what: str

    def read(self, value: object) -> bytes:
        """The bytes."""
        try:
            octets = b64decode(value, validate=True) if isinstance(value, str) else None
        except (binascii.Error, ValueError):
            octets = None
        if octets is None:
            raise refused("it is no base64", f"allowed: {self.allowed()}")
        if not self.min <= len(octets) <= self.max:
            raise refused(f"it has {len(octets)} bytes", f"allowed: {self.allowed()}")
        return octets

    def allowed(self) -> str:
        """Its form."""
        count = str(self.min) if self.min == self.max else f"{self.min} to {self.max}"
        return f"{self.what}: {count} bytes in base64"

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(b64encode(value).decode("ascii"))


@dataclass(frozen=True, slots=True)
class Moment(Kind[UnixSeconds]):
    """A date and time with its offset, as TOML writes it."""

    def read(self, value: object) -> UnixSeconds:
        """Unix seconds."""
        if not isinstance(value, datetime):
            raise refused(f"{shown(value)} is no date and time", f"allowed: {self.allowed()}")
        if value.tzinfo is None:
            raise refused(f"{shown(value)} has no offset", f"write {value.isoformat()}Z if UTC is meant")
        return UnixSeconds(value.timestamp())

    def allowed(self) -> str:
        """Its form."""
        return "a date and time with Z or an offset and without quotes, as in 2027-01-31T00:00:00Z"

    def write(self, value: object) -> str:
        """In UTC."""
        assert isinstance(value, float | int), value
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")


KEY: Schema[Key] = Schema(
    Key("", Algorithm.ED25519, b""),
    (
        Setting(
            "id",
            Name(MAX_KEYID),
            "id",
            "What a signature names it by (`keyid`), and what the log and the history of purges call it.",
        ),
        Setting(
            "algorithm", Choice(tuple(Algorithm)), "algorithm", "The only one that its signatures may have."
        ),
        Setting(
            "public_key",
            Base64(32, 32, "an Ed25519 public key"),
            "",
            "For ed25519. It is no secret; the private key stays with whoever signs.",
        ),
        Setting(
            "secret",
            Base64(MIN_SECRET, MAX_SECRET, "a secret"),
            "",
            'For hmac-sha256: the secret itself, in a file that others cannot read, or { env = "NAME" }. Whoever can read it '
            "can sign; with ed25519 a node has nothing to give away.",
            secret=True,
        ),
        Setting(
            "state",
            Choice(tuple(KeyState)),
            "state",
            "A revoked key is refused within two seconds, without a restart.",
        ),
        Setting("not_before", Moment(), "not_before", "The key is refused before."),
        Setting(
            "not_after",
            Moment(),
            "not_after",
            "The key is refused after: for rotation, and for somebody's holidays.",
        ),
        Setting(
            "sites",
            Or("*", None, SetOf(ListOf(Name(64), MAX_SITES, 1))),
            "scope.sites",
            'The names of the sites that it may purge; "*" is every site.',
        ),
        Setting(
            "kinds",
            SetOf(ListOf(Choice(tuple(kind for kind in ScopeKind if kind in ALL_KINDS)), 10, 1)),
            "scope.kinds",
            "What its purges may select by. To empty the whole cache is may_purge_everything.",
        ),
        Setting(
            "may_purge_everything",
            Flag(),
            "scope.may_purge_everything",
            'Whether it may empty the whole cache, of all sites; needs sites = "*".',
        ),
        Setting("comment", Text("a note", 500), "comment", "Whose it is, for people."),
    ),
    tables={"": "One key."},
    required={"id": '"shop-deploy"', "algorithm": '"ed25519"', "sites": '["shop"]'},
)
