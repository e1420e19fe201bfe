"""One worker in one process under cProfile: `python -m tools.benching.worker NODE_FILE PROFILE_FILE`.

Owns: what `make bench ARGS="--profile ..."` looks into. It is the same `Worker` as that of `perigee run`, on the same loop,
without a supervisor. The profile is of everything from SIGUSR1 to SIGTERM and is written at the end.
"""

from __future__ import annotations

import asyncio
import cProfile
import signal
import socket
import sys
import tempfile
from pathlib import Path

from edge.server.machine import new_loop
from edge.server.sockets import BACKLOG
from edge.server.worker import Worker
from edge.server.worker_main import spare_the_store
from edge.settings.load import load_node


async def _serve(file: Path, profile: cProfile.Profile) -> None:
    settings = load_node(file, on_this_machine=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, profile.enable)
    address = settings.listen[0]
    with socket.create_server((address.host, address.port), backlog=BACKLOG) as listening:
        listening.setblocking(False)
        with tempfile.TemporaryDirectory() as name:
            run_dir = Path(name)
            worker = Worker(
                settings,
                index=0,
                count=1,
                run_dir=run_dir,
                listen_sockets=[listening],
                admin_socket=run_dir / "admin",
                tier_socket_of=lambda index: run_dir / f"worker-{index}",
            )
            await worker.start()
            await ended.wait()
            profile.disable()
            await worker.aclose()


def main() -> None:
    """Serve until SIGTERM, then write the profile."""
    spare_the_store()
    profile = cProfile.Profile()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(Path(sys.argv[1]), profile))
    profile.dump_stats(sys.argv[2])


if __name__ == "__main__":
    main()
