"""Who is measured: Perigee as a user starts it, and nginx's proxy_cache tuned as its users tune it.

Owns: `Contender` and its two kinds. Rules: each gets one process that serves, the same origin, a cache folder on the same
file system, an access log written in batches or none; who is not installed is left out, never guessed. Varnish, or TLS in
front, is one more `Contender`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tools.benching.processes import Process
from tools.benching.workloads import Workload
from tools.ports import free_port


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender runs. folder: its own, for settings, cache and logs. origin: the origin's port."""

    folder: Path
    origin: int
    core: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """One that serves, on 127.0.0.1:port."""

    process: Process
    port: int


class Contender(Protocol):
    """Somebody to be measured."""

    name: str

    def version(self) -> str | None:
        """What is installed, None when it is not."""

    def start(self, workload: Workload, place: Place) -> Running:
        """Start it, set up for `workload`; it answers when this returns. BenchFault."""


_PERIGEE = """\
sites = []

[node]
name = "bench"
listen = ["127.0.0.1:{port}"]
admin = "off"
data_dir = "{folder}/data"
workers = 1

[memory]
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


def perigee_settings(workload: Workload, *, folder: Path, port: int, origin: int) -> str:
    """A node file. folder: where cache and log go."""
    access = folder / "access.log" if workload.access_log else "off"
    return _PERIGEE.format(port=port, folder=folder, memory=workload.memory_mib, access=access, origin=origin)


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

    def start(self, workload: Workload, place: Place) -> Running:
        """`perigee run` with one worker."""
        port = free_port()
        file = place.folder / "node.toml"
        file.write_text(perigee_settings(workload, folder=place.folder, port=port, origin=place.origin))
        command = [sys.executable, "-m", "tools.perigee", "run", "--config", str(file)]
        if self._profile is not None:
            command = [sys.executable, "-m", "tools.benching.worker", str(file), str(self._profile)]
        process = Process(command, core=place.core, log=place.folder / "output.txt")
        try:
            process.wait_for_answer(port)
        except BaseException:
            process.end()
            raise
        return Running(process, port)


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
    location / {{
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


def nginx_settings(workload: Workload, *, folder: Path, port: int, origin: int) -> str:
    """An nginx.conf. folder: where cache and log go."""
    user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
    log = f"{folder}/access.log combined buffer=64k flush=1s" if workload.access_log else "off"
    return _NGINX.format(port=port, folder=folder, origin=origin, user=user, access=log)


class Nginx:
    """nginx's proxy_cache: what is hot comes from the page cache, with open files kept."""

    name = "nginx"

    def version(self) -> str | None:
        """As `nginx -v` says."""
        if shutil.which("nginx") is None:
            return None
        said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr
        return said.strip().removeprefix("nginx version: ").replace("/", " ")

    def start(self, workload: Workload, place: Place) -> Running:
        """One worker process under a master, as it is run everywhere."""
        port = free_port()
        (place.folder / "cache").mkdir()
        file = place.folder / "nginx.conf"
        file.write_text(nginx_settings(workload, folder=place.folder, port=port, origin=place.origin))
        command = ["nginx", "-p", str(place.folder), "-c", str(file), "-e", "stderr", "-g", "daemon off;"]
        process = Process(command, core=place.core, log=place.folder / "output.txt")
        try:
            process.wait_for_answer(port)
        except BaseException:
            process.end()
            raise
        return Running(process, port)
