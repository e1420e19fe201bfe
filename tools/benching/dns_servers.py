"""The DNS servers that are measured: ours, and what we export for PowerDNS and gdnsd, so that all give the same answers.

Owns: `Contender` and the three. Rules: one core, and one thread that answers; everything else as it comes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from tools.benching.dns_queries import network_text
from tools.benching.processes import Process
from tools.geo_export import run as export

_WHERE = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


class Contender(ABC):
    """A server. name: in the table."""

    name: str

    @abstractmethod
    def version(self) -> str | None:
        """None = it is not installed."""

    @abstractmethod
    def command(self, folder: Path, config: Path) -> list[str]:
        """How it is started for the network in `config`; what it needs is written into `folder`."""

    def start(self, folder: Path, port: int, core: int | None) -> Process:
        """Start it on a port; to be waited for. The database lies in the folder above."""
        folder.mkdir()
        config = folder.parent / f"{self.name}.toml"
        config.write_text(network_text(port), encoding="utf-8")
        return Process(self.command(folder, config), core=core, log=folder / "output.txt", cwd=folder)


class Perigee(Contender):
    """Ours."""

    name = "perigee"

    def version(self) -> str | None:
        """Of the interpreter, too."""
        return f"Perigee on Python {sys.version_info.major}.{sys.version_info.minor}"

    def command(self, folder: Path, config: Path) -> list[str]:
        """A supervisor, which sleeps, and one worker."""
        line = [sys.executable, "-m", "tools.perigee", "dns", "--config", str(config)]
        return [*line, "--data-dir", str(folder / "data"), "--log-level", "warning"]


class PowerDns(Contender):
    """With its GeoIP backend."""

    name = "powerdns"

    def version(self) -> str | None:
        """Only where the backend is there, too."""
        program = shutil.which("pdns_server", path=_WHERE)
        if program is None or not any(Path("/usr/lib").glob("**/pdns/libgeoipbackend.so")):
            return None
        return _version([program, "--version"], r"PowerDNS Authoritative Server ([0-9.]+)", "PowerDNS")

    def command(self, folder: Path, config: Path) -> list[str]:
        """One receiver; its packet cache as it comes."""
        export("powerdns", config, folder)
        program = shutil.which("pdns_server", path=_WHERE) or "pdns_server"
        line = [program, f"--config-dir={folder}", f"--socket-dir={folder}", "--daemon=no", "--guardian=no"]
        return [*line, "--receiver-threads=1", "--distributor-threads=1", "--disable-syslog", "--loglevel=3"]


class Gdnsd(Contender):
    """For the record: a server in C that does nothing else."""

    name = "gdnsd"

    def version(self) -> str | None:
        """As it says."""
        program = shutil.which("gdnsd", path=_WHERE)
        return None if program is None else _version([program, "-h"], r"gdnsd version ([0-9.]+)", "gdnsd")

    def command(self, folder: Path, config: Path) -> list[str]:
        """One thread for UDP and one for TCP."""
        export("gdnsd", config, folder)
        file = folder / "config"
        options = f"options => {{ run_dir => {folder}/run, state_dir => {folder}/state, edns_client_subnet => true, "
        options += "udp_threads => 1, tcp_threads => 1,"
        file.write_text(file.read_text().replace("options => {", options))
        return [shutil.which("gdnsd", path=_WHERE) or "gdnsd", "-c", str(folder), "start"]


ALL: tuple[Contender, ...] = (Perigee(), PowerDns(), Gdnsd())


def _version(command: list[str], pattern: str, name: str) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    found = re.search(pattern, said.stdout + said.stderr)
    return name if found is None else f"{name} {found[1]}"
