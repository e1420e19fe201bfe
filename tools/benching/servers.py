"""Who is measured: Perigee as a user starts it, and nginx's proxy_cache tuned as its users tune it.

Owns: `Contender` and its two kinds. Rules: each gets one process that serves, the same origin, a cache folder on the same
file system, an access log written in batches or none; who is not installed is left out, never guessed. Varnish is in
tools/benching/varnish.py. What our settings for TLS are called stands in `perigee_tls` and nowhere else here.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tools.benching.certificates import CERTIFIED_NAME, Certificate, make_certificate
from tools.benching.processes import Process
from tools.benching.workloads import Workload
from tools.ports import free_port

CERTIFICATES = "certificates"
"""The folder of a contender's certificates, in its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender runs. folder: its own, for settings, cache and logs. origin: the origin's port."""

    folder: Path
    origin: int
    core: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """One that serves, on 127.0.0.1:port. log_writer: a process beside it that writes its access log.

    certificate: what it shows on that port, None = it speaks in the clear.
    """

    process: Process
    port: int
    log_writer: Process | None = None
    certificate: Certificate | None = None

    @property
    def processes(self) -> tuple[Process, ...]:
        """All that it runs."""
        return (self.process,) if self.log_writer is None else (self.process, self.log_writer)


def started(command: Sequence[str], place: Place, port: int, tls_port: int | None = None) -> Process:
    """A process that answers on `port` and listens on `tls_port`. BenchFault."""
    process = Process(command, core=place.core, log=place.folder / "output.txt")
    try:
        process.wait_for_answer(port)
        if tls_port is not None:
            process.wait_for_port(tls_port)
    except BaseException:
        process.end()
        raise
    return process


class Contender(Protocol):
    """Somebody to be measured."""

    name: str

    def version(self) -> str | None:
        """What is installed, None when it is not."""

    def cannot(self, workload: Workload) -> str | None:
        """Why it cannot take part in that row, None when it can."""

    def start(self, workload: Workload, place: Place) -> Running:
        """Start it, set up for `workload`; it answers when this returns. BenchFault."""


_PERIGEE = """\
sites = []

[node]
name = "bench"
listen = ["127.0.0.1:{port}"]
admin = "off"
data_dir = "{folder}/data"
workers = {workers}

{tls}[memory]
capacity = "{memory}MiB"

[disk]
capacity = "4GiB"

[log]
access = "{access}"
level = "warning"

[limits]
connections_per_client = 20000

[[site]]
name = "bench"
hostnames = ["*"]
origins = ["http://127.0.0.1:{origin}"]
"""


def perigee_tls(tls_port: int, certificates: Path) -> str:
    """A section: our listener for TLS, the folder of certificates, and which those get who name none (or an address)."""
    return (
        f'[tls]\nlisten = ["127.0.0.1:{tls_port}"]\ncertificates = "{certificates}"\n'
        f'default = "{CERTIFIED_NAME}"\nminimum_version = "1.3"\n\n'
    )


def perigee_settings(
    workload: Workload, *, folder: Path, port: int, origin: int, tls_port: int | None = None, workers: int = 1
) -> str:
    """A node file. folder: where cache and log go, and certificates are. tls_port: None = in the clear only."""
    access = folder / "access.log" if workload.access_log else "off"
    return _PERIGEE.format(
        port=port,
        folder=folder,
        workers=workers,
        memory=workload.memory_mib,
        access=access,
        origin=origin,
        tls="" if tls_port is None else perigee_tls(tls_port, folder / CERTIFICATES),
    )


class Perigee:
    """Ours. profiled: run the worker in this tool's own process under a profiler instead of `perigee run`."""

    name = "Perigee"

    def __init__(self, profile: Path | None = None) -> None:
        self._profile = profile

    def version(self) -> str | None:
        """Of the checkout, with its commit where git tells."""
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
        )
        return f"Perigee {said.stdout.strip() or '(no commit)'} on Python {sys.version.split()[0]}"

    def cannot(self, workload: Workload) -> str | None:
        """See Contender. It can do everything here."""
        return None

    def start(self, workload: Workload, place: Place) -> Running:
        """`perigee run` with one worker."""
        port, tls_port, certificate = _ports(workload, place)
        file = place.folder / "node.toml"
        file.write_text(
            perigee_settings(workload, folder=place.folder, port=port, origin=place.origin, tls_port=tls_port)
        )
        command = [sys.executable, "-m", "tools.perigee", "run", "--config", str(file)]
        if self._profile is not None:
            command = [sys.executable, "-m", "tools.benching.worker", str(file), str(self._profile)]
        process = started(command, place, port, tls_port)
        return Running(process, tls_port or port, certificate=certificate)


def _ports(workload: Workload, place: Place) -> tuple[int, int | None, Certificate | None]:
    """One in the clear; where the row is over TLS, another for that, and what it shows."""
    if not workload.tls:
        return free_port(), None, None
    return free_port(), free_port(), make_certificate(place.folder / CERTIFICATES)


_NGINX = """\
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; multi_accept on; }}
http {{
  access_log {access};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 60s;
  open_file_cache max=20000 inactive=60s;
  client_body_temp_path {folder}/t1;
  proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=bench:64m max_size=4g inactive=1d use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
{tls}    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_cache_lock_age 60s;
      proxy_cache_lock_timeout 60s;
      add_header X-Cache-Status $upstream_cache_status always;
    }}
  }}
}}
"""


_NGINX_TLS = """\
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {certificate.chain};
    ssl_certificate_key {certificate.key};
    ssl_protocols TLSv1.3;
    ssl_session_cache shared:sessions:10m;
    ssl_buffer_size 16k;
"""


def nginx_settings(
    workload: Workload,
    *,
    folder: Path,
    port: int,
    origin: int,
    tls_port: int | None = None,
    certificate: Certificate | None = None,
) -> str:
    """An nginx.conf. folder: where cache and log go. certificate: shown on `tls_port`; None = in the clear only."""
    user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
    log = f"{folder}/access.log combined buffer=64k flush=1s" if workload.access_log else "off"
    tls = "" if certificate is None else _NGINX_TLS.format(port=tls_port, certificate=certificate)
    return _NGINX.format(port=port, folder=folder, origin=origin, user=user, access=log, tls=tls)


class Nginx:
    """nginx's proxy_cache: what is hot comes from the page cache, with open files kept."""

    name = "nginx"

    def version(self) -> str | None:
        """As `nginx -v` says."""
        if shutil.which("nginx") is None:
            return None
        said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr
        return said.strip().removeprefix("nginx version: ").replace("/", " ")

    def cannot(self, workload: Workload) -> str | None:
        """See Contender. It can do everything here."""
        return None

    def start(self, workload: Workload, place: Place) -> Running:
        """One worker process under a master, as it is run everywhere."""
        port, tls_port, certificate = _ports(workload, place)
        (place.folder / "cache").mkdir()
        file = place.folder / "nginx.conf"
        file.write_text(
            nginx_settings(
                workload,
                folder=place.folder,
                port=port,
                origin=place.origin,
                tls_port=tls_port,
                certificate=certificate,
            )
        )
        command = ["nginx", "-p", str(place.folder), "-c", str(file), "-e", "stderr", "-g", "daemon off;"]
        process = started(command, place, port, tls_port)
        return Running(process, tls_port or port, certificate=certificate)
