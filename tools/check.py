"""`perigee check`: everything that is wrong with a node file and its sites, at once.

Owns: the print-out. Exit code 0 when there is nothing to put right, 1 otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path

from edge.settings.load import load_node

from edge.settings.node import NodeSettings
from edge.settings.problems import Problem, SettingsFault


def run(file: Path, *, to_json: bool) -> int:
    """Check `file`, and print what was found, a line each (`file:line: setting: what is wrong; what to write`)."""
    try:
        settings = load_node(file)
    except SettingsFault as fault:
        print(json.dumps(_faulty(fault.problems)) if to_json else fault.detail)
        return 1
    print(json.dumps(_sound(settings)) if to_json else _summary(file, settings))
    return 0


def _faulty(problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "ok": False,
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


def _sound(settings: NodeSettings) -> dict[str, object]:
    return {
        "ok": True,
        "node": settings.name,
        "sites": [site.name for site in settings.sites],
        "problems": [],
    }


def _summary(file: Path, settings: NodeSettings) -> str:
    sites = ", ".join(site.name for site in settings.sites) or "none"
    return f"{file}: sound; node {settings.name}, sites: {sites}"
