"""Certificates as they are used: read from a folder, and looked at before anybody gets one.

Owns: `Pair`, `read_folder`, `in_force`. Rules: the same look in the supervisor, which reads files, and in workers, which read
none; what is wrong says the file and the remedy, and never shows a key. At a start all must be good. Later each pair counts by
itself: one that is bad stays as it was, and does not keep the others from being renewed. `read_folder` blocks.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from edge.tls.layout import ENDINGS, FileFault, Material, PairFault, paired
from edge.tls.loading import load_into
from edge.tls.names import doubles

MAX_FILES = 20_000
MAX_FILE_BYTES = 256 * 1024
_FORM = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_NAMELESS = ("it names no host in subjectAltName", "have one made that does: clients look there only")
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
MAX_DEPTH = 3
"""Folders within folders: `live/<name>/` is two."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate that may be used. names: of its subjectAltName, lower case. expires: Unix seconds."""

    material: Material = field(repr=False)
    names: tuple[str, ...]
    expires: float

    @property
    def name(self) -> str:
        """For people."""
        return self.material.name


def read_folder(folder: Path) -> tuple[list[Material], list[FileFault]]:
    """What lies there; links are followed, hidden files are not looked at. Blocks."""
    contents: dict[str, bytes] = {}
    faults: list[FileFault] = []
    try:
        files = list_folder(folder)
    except OSError as error:
        wrong = f"{folder} cannot be read: {error.strerror or error}"
        return [], [FileFault("", wrong, "name a folder that is there and may be read")]
    if len(files) > MAX_FILES:
        return [], [FileFault("", f"it has more than {MAX_FILES} files", "use several nodes")]
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            with file.open("rb") as opened:
                content = opened.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            wrong = f"it cannot be read: {error.strerror or error}"
            faults.append(FileFault(name, wrong, "let the user of this process read it", _owner_of(name)))
            continue
        if len(content) > MAX_FILE_BYTES:
            wrong = f"it is larger than {MAX_FILE_BYTES} bytes"
            faults.append(FileFault(name, wrong, "move what is no certificate elsewhere", _owner_of(name)))
            continue
        contents[name] = content
    found, more = paired(contents)
    if faults:
        # What lacks its other half lacks what could not be read.
        return found, faults
    return found, more


def _owner_of(name: str) -> str:
    path = Path(name)
    return (
        path.parent.as_posix() if path.stem in {"fullchain", "privkey"} else path.with_suffix("").as_posix()
    )


def list_folder(folder: Path) -> list[Path]:
    """The files that may be certificates or keys, in order. Blocks. OSError when the folder is not there."""
    found: list[Path] = []
    level = [folder]
    for _ in range(MAX_DEPTH):
        below: list[Path] = []
        for each in level:
            for inside in sorted(each.iterdir()):
                if inside.name.startswith("."):
                    continue
                if inside.is_dir():
                    below.append(inside)
                elif inside.suffix in ENDINGS:
                    found.append(inside)
                if len(found) > MAX_FILES:
                    return found
        level = below
    return found


def looked_at(material: Material, now: float | None) -> Pair:
    """A pair that may be used. now: Unix seconds; None = whatever its dates say. Raises PairFault."""

    def fault(wrong: str, instead: str) -> PairFault:
        return PairFault(FileFault(material.file, wrong, instead, material.name))

    try:
        leaf = x509.load_pem_x509_certificates(material.chain)[0]
        said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(dict.fromkeys(name.lower() for name in said.get_values_for_type(x509.DNSName)))
        its_key = leaf.public_key().public_bytes(*_FORM)
    except x509.ExtensionNotFound:
        raise fault(*_NAMELESS) from None
    except _UNREADABLE as error:
        raise fault(f"it is no PEM certificate: {error}", "write the certificate, then its chain") from None
    if not names or not all(name.isascii() for name in names):
        raise fault(*_NAMELESS)
    if b"ENCRYPTED" in material.key:
        raise fault("its key is encrypted", "write it without a passphrase: `openssl pkey -in KEY -out KEY`")
    try:
        key = load_pem_private_key(material.key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise fault("its key cannot be read as PEM", "write the private key that it was made with") from None
    if key.public_key().public_bytes(*_FORM) != its_key:
        raise fault("the key beside it is that of another certificate", "put its own key there")
    starts, expires = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    if now is not None and now >= expires:
        raise fault(f"it expired on {leaf.not_valid_after_utc:%Y-%m-%d}", "renew it, or move it elsewhere")
    if now is not None and now < starts:
        raise fault(
            f"it begins to be valid on {leaf.not_valid_before_utc:%Y-%m-%d}", "look at the clock here"
        )
    load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), material)
    return Pair(material, names, expires)


def in_force(
    found: Sequence[Material], former: Iterable[Pair], faults: Sequence[FileFault], now: float
) -> tuple[list[Pair], list[FileFault]]:
    """The pairs to use, and all that is wrong. former: those in use; where the new one is bad, it stays.

    faults: of reading. A former pair that is gone without a fault is gone.
    """
    before = {pair.name: pair for pair in former}
    wrong = list(faults)
    good: dict[str, Pair] = {}
    for material in found:
        old = before.get(material.name)
        if old is not None and old.material == material:
            good[material.name] = old  # once good, it is used to its end and beyond: that is better than none
            continue
        try:
            good[material.name] = looked_at(material, now)
        except PairFault as refused:
            wrong.append(refused.fault)
    bad = {fault.name for fault in wrong if fault.name is not None}
    whole = any(fault.name is None for fault in wrong)
    for name, pair in before.items():
        if name not in good and (whole or name in bad):
            good[name] = pair
    # Those in use come first, so that a newcomer never takes a name from one of them.
    ordered = sorted(good, key=lambda name: (name not in before, name))
    for name, first, owner in doubles({name: good[name].names for name in ordered}):
        if owner in good:
            file = good[owner].material.file
            told = f"{name} is a name of {good[first].material.file if first in good else first} already"
            wrong.append(FileFault(file, told, "leave one of the two out", owner))
            del good[owner]
            if (old := before.get(owner)) is not None and not _meets(old, good.values()):
                good[owner] = old
    return [good[name] for name in sorted(good)], wrong


def _meets(pair: Pair, others: Iterable[Pair]) -> bool:
    return any(not set(pair.names).isdisjoint(other.names) for other in others)
