"""Which files of a folder are a certificate and its key. PURE.

Owns: `paired`. Rules: the layouts of certbot (`live/<name>/fullchain.pem`, `privkey.pem`), of acme.sh (`<name>/fullchain.cer`,
`<name>.key`), of mkcert (`name.pem`, `name-key.pem`), `name.crt|.pem|.cer` beside `name.key`, and both in one file. Beside a
`fullchain` the other certificates of its folder are parts of it. A key without a certificate, and a certificate without a key,
is a fault: it was meant to be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import basename, dirname, join, splitext

CERTIFICATES = (".crt", ".pem", ".cer")
ENDINGS = (*CERTIFICATES, ".key")
ACCOUNT = "account.key"
"""What acme.sh signs its orders with: it is no key of a certificate."""

_CHAINS = ("fullchain.pem", "fullchain.cer", "fullchain.crt")
_CERTIFICATE, _KEY = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate with its chain, and its key, as PEM. name: from where it lies. file: of the certificate."""

    name: str
    file: str
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileFault:
    """What is wrong with a file. file: within the folder; "" = the folder. name: of the certificate; None = all are meant."""

    file: str
    wrong: str
    instead: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.wrong}; {self.instead}"


class PairFault(Exception):
    """Why a certificate is of no use."""

    def __init__(self, fault: FileFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def paired(files: Mapping[str, bytes]) -> tuple[list[Material], list[FileFault]]:
    """All pairs in order of name, and what has no counterpart. files: path within the folder to content."""
    folders: dict[str, dict[str, bytes]] = {}
    for name, content in files.items():
        if name.endswith(ENDINGS) and basename(name) != ACCOUNT:
            folders.setdefault(dirname(name), {})[basename(name)] = content
    found: list[Material] = []
    faults: list[FileFault] = []
    for folder, inside in sorted(folders.items()):
        chain = next((name for name in _CHAINS if name in inside), None)
        if chain is None:
            _by_name(folder, inside, found, faults)
        else:
            _with_chain(folder, inside, chain, found, faults)
    return found, faults


def _with_chain(
    folder: str,
    inside: Mapping[str, bytes],
    chain: str,
    found: list[Material],
    faults: list[FileFault],
) -> None:
    keys = [name for name in ("privkey.pem", "privkey.key") if name in inside]
    keys = keys or [name for name in inside if name.endswith(".key")]
    name, file = folder or "fullchain", join(folder, chain)
    if len(keys) == 1:
        found.append(Material(name, file, inside[chain], inside[keys[0]]))
    elif _KEY in inside[chain]:
        found.append(Material(name, file, inside[chain], inside[chain]))
    else:
        wrong = "there are several keys beside it" if keys else "there is no key beside it"
        faults.append(FileFault(file, wrong, "put its key there as privkey.pem", name))


def _by_name(
    folder: str, inside: Mapping[str, bytes], found: list[Material], faults: list[FileFault]
) -> None:
    used: set[str] = set()
    for file in sorted(inside):
        stem, ending = splitext(file)
        if ending not in CERTIFICATES or _CERTIFICATE not in inside[file]:
            continue
        keys = (f"{stem}.key", f"{stem}-key.pem")
        key = next((each for each in keys if each in inside), None)
        where, name = join(folder, file), join(folder, stem)
        if key is not None:
            used.add(key)
            found.append(Material(name, where, inside[file], inside[key]))
        elif _KEY in inside[file]:
            found.append(Material(name, where, inside[file], inside[file]))
        else:
            faults.append(
                FileFault(where, "there is no key to it", f"put its key beside it as {keys[0]}", name)
            )
    for file in sorted(set(inside) - used):
        if _CERTIFICATE not in inside[file]:
            stem, _ = splitext(file)
            instead = f"put its certificate beside it as {stem}.crt, or move it elsewhere"
            faults.append(
                FileFault(join(folder, file), "there is no certificate to it", instead, join(folder, stem))
            )
