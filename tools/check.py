"""`perigee check`: everything that is wrong with node files and their sites, or with site files, at once.

Owns: the print-out. Exit code 0 when there is nothing to put right, 1 otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path

from edge.settings.load import Checked, check_file
from edge.settings.problems import Problem


def run(*files: Path, here: bool = False, to_json: bool = False) -> int:
    """Check `files`, and print what was found, a line each (`file:line: setting: what is wrong; what to write`).

    here: also what only this machine knows (whether folders can be written, certificates be read).
    """
    checked = [check_file(file, on_this_machine=here) for file in files]
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


def _as_json(checked: list[Checked], problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "ok": not problems,
        "files": [
            {"file": str(one.file), "kind": "node" if one.is_node else "site", "sites": list(one.sites)}
            for one in checked
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
    return f"{one.file}: sound; {'node with ' if one.is_node else ''}{'sites' if one.is_node else 'site'} {sites}"
