"""`make soak-purge`: purges, readers and faults on real processes for some minutes, and whether anything was stale or lost.

Owns: the command line. What is claimed stands in tools/soaking/checker.py, what is started in tools/soaking/soak.py. It ends by
itself, ends only what it started, and keeps nothing but, where it was told to or where a claim was not true, the folder.

    make soak-purge                                      two minutes
    make soak-purge ARGS="--minutes 10 --seed 7"         the same faults in the same order, at the same moments
    make soak-purge ARGS="--keep var/soak"               look at what everything wrote
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from edge.tasks import spawn
from tools.soaking.processes import NotUp
from tools.soaking.report import told
from tools.soaking.soak import Outcome, Plan, Soak


def main() -> None:
    """Exit code 0: all claims were true; 1: one was not; 2: it could not be run."""
    options = _options().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    plan = Plan(options.minutes * 60.0, seed, options.lease)
    print(f"seed {seed}; about {options.minutes + 1:g} minutes", flush=True)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="perigee-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        outcome = asyncio.run(_until_stopped(Soak(plan, folder.resolve())))
    except NotUp as fault:
        raise SystemExit(f"soak: {fault}\nsoak: what everything wrote is in {folder}") from None
    except asyncio.CancelledError:
        raise SystemExit("soak: stopped") from None
    print(told(outcome))
    if outcome.holds and options.keep is None:
        _remove(folder)
    elif not outcome.holds:
        print(f"what everything wrote is in {folder}", file=sys.stderr)
    sys.exit(0 if outcome.holds else 1)


async def _until_stopped(soak: Soak) -> Outcome:
    """Ctrl-C and SIGTERM end it, and everything that it started."""
    running = spawn(soak.run(), name="soak")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    return await running


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m tools.soak_purge", description=(__doc__ or "").partition("\n")[0]
    )
    options.add_argument("--minutes", type=float, default=2.0, help="under load and faults")
    options.add_argument("--seed", type=int, help="what is drawn; any number, none = a new one")
    options.add_argument("--lease", type=int, default=15, help="purge.log_loss_after of the sites, seconds")
    options.add_argument("--keep", type=Path, help="a folder for what everything writes, which then stays")
    return options


if __name__ == "__main__":
    main()
