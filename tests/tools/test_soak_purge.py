"""The command line of a soak; the whole of it is tests/scenarios/test_p02_soak.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tools.soak_purge import _options, _until_stopped
from tools.soaking.processes import NotUp
from tools.soaking.soak import Outcome, Plan, Soak


class NeverUp(Soak):
    async def run(self) -> Outcome:
        await asyncio.sleep(0)
        raise NotUp("edge-1 is not ready")


def test_its_options() -> None:
    options = _options().parse_args(["--minutes", "0.5", "--seed", "7", "--keep", "here"])
    assert (options.minutes, options.seed, options.lease, options.keep) == (0.5, 7, 15, Path("here"))
    with pytest.raises(SystemExit):
        _options().parse_args(["--minutes", "long"])


async def test_what_does_not_start_ends_it(tmp_path: Path) -> None:
    with pytest.raises(NotUp, match="edge-1"):
        await _until_stopped(NeverUp(Plan(1.0, 7), tmp_path))
