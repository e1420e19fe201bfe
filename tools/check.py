"""`perigee check`: everything that is wrong with node files and their sites, site files, or network files, at once.

Owns: the print-out. Exit code 0 when there is nothing to put right, 1 otherwise.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from edge.errors import ConfigFault
from edge.server.dns_command import DnsCommand
from edge.settings.load import Checked, FileKind, check_file
from edge.settings.network_file import load_network
from edge.settings.problems import Problem


def run(*files: Path, here: bool = False, to_json: bool = False) -> int:
    """Check `files`, and print what was found, a line each (`file:line: setting: what is wrong; what to write`).

    here: also what only this machine knows (whether folders can be written, certificates be read).
    """
    checked = [_with_zones(check_file(file, on_this_machine=here)) for file in files]
    problems = tuple(dict.fromkeys(problem for one in checked for problem in one.problems))
    if to_json:
        print(json.dumps(_as_json(checked, problems)))
    else:
        for problem in problems:
            print(problem)
        for one in checked:
            if not one.problems:
                print(_sound(one))
    return 1 if problems else 0


def _with_zones(one: Checked) -> Checked:
    """With what can be said of zones only when they are made: their files count, too."""
    if one.kind is not FileKind.NETWORK or one.problems or not load_network(one.file).dns.zones:
        return one
    command = DnsCommand(str(one.file), data_dir="")
    try:
        command.network(command.content())
    except ConfigFault as fault:
        wrong = fault.detail.removeprefix(f"{one.file}: ")
        return replace(one, problems=(Problem(str(one.file), None, "zone", wrong, ""),))
    return one


def _as_json(checked: list[Checked], problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "ok": not problems,
        "files": [
            {"file": str(one.file), "kind": one.kind.value, "sites": list(one.sites)} for one in checked
        ],
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "setting": problem.setting,
                "wrong": problem.wrong,
                "instead": problem.instead,
            }
            for problem in problems
        ],
    }


def _sound(one: Checked) -> str:
    sites = ", ".join(one.sites)
    match one.kind:
        case FileKind.NODE:
            what = "node with sites"
        case FileKind.SITE:
            what = "site"
        case FileKind.NETWORK:
            what = "network that routes"
        case _:
            assert_never(one.kind)
    return f"{one.file}: sound; {what} {sites or 'nothing'}"
