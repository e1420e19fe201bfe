"""Varnish, tuned as its users tune it, as one of those who are measured.

Owns: its VCL, its command line, and varnishncsa beside it where a row has an access log (Varnish itself writes a log to shared
memory only, always). Rules: one thread pool, on the server's core; a malloc storage of the size that our memory tier has; it
caches whatever the request's cookies, as the other two do here, and says in a field whether it was a hit; its files are in the
row's folder.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from tools.benching.processes import START_SECONDS, BenchFault, Process
from tools.benching.servers import Place, Running, started
from tools.benching.workloads import Workload
from tools.ports import free_port

_VCL = """\
vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_recv {{
  if (req.method != "GET" && req.method != "HEAD") {{ return (pass); }}
  unset req.http.Cookie;
  return (hash);
}}
sub vcl_deliver {{
  if (obj.hits > 0) {{ set resp.http.X-Cache = "HIT"; }} else {{ set resp.http.X-Cache = "MISS"; }}
}}
"""

_PARAMETERS = {
    "thread_pools": "1",
    "thread_pool_min": "50",
    "thread_pool_max": "2000",
    "workspace_client": "96k",
    "workspace_backend": "96k",
    "timeout_idle": "60",
    "listen_depth": "4096",
}


def vcl(origin: int) -> str:
    """The rules. origin: its port."""
    return _VCL.format(origin=origin)


def varnish_command(workload: Workload, *, folder: Path, port: int) -> list[str]:
    """Everything but the rules. folder: where those are, in bench.vcl, and its files go."""
    parameters = [word for name, value in _PARAMETERS.items() for word in ("-p", f"{name}={value}")]
    return [
        *("varnishd", "-F", "-n", str(folder / "varnish"), "-a", f"127.0.0.1:{port}"),
        *("-f", str(folder / "bench.vcl"), "-s", f"malloc,{workload.memory_mib}m"),
        *("-T", "none", "-j", "none", *parameters),
    ]


class Varnish:
    """Varnish's cache in memory."""

    name = "Varnish"

    def version(self) -> str | None:
        """As `varnishd -V` says."""
        if shutil.which("varnishd") is None:
            return None
        said = subprocess.run(["varnishd", "-V"], capture_output=True, text=True, check=False)
        found = (said.stdout + said.stderr).partition("varnish-")[2].split()
        return f"Varnish {found[0]}" if found else None

    def cannot(self, workload: Workload) -> str | None:
        """See Contender."""
        if workload.tls:
            return "Varnish speaks no TLS"
        if workload.access_log and shutil.which("varnishncsa") is None:
            return "varnishncsa is not installed"
        return None

    def start(self, workload: Workload, place: Place) -> Running:
        """A manager and its one child, as it is run everywhere, and who writes the log."""
        port = free_port()
        (place.folder / "bench.vcl").write_text(vcl(place.origin))
        process = started(varnish_command(workload, folder=place.folder, port=port), place, port)
        if not workload.access_log:
            return Running(process, port)
        try:
            return Running(process, port, _logging(process, port, place))
        except BaseException:
            process.end()
            raise


def _logging(serving: Process, port: int, place: Place) -> Process:
    """Varnishncsa once it writes: it sees only what comes after it has found the log in memory. BenchFault."""
    written = place.folder / "access.log"
    command = ["varnishncsa", "-n", str(place.folder / "varnish"), "-w", str(written)]
    process = Process(command, core=place.core, log=place.folder / "ncsa.txt")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        serving.wait_for_answer(port)
        if written.exists() and written.stat().st_size:
            return process
        time.sleep(0.05)
    process.end()
    raise BenchFault(f"varnishncsa writes nothing:\n{(place.folder / 'ncsa.txt').read_text()[-2000:]}")
