"""The page of trade-offs names settings and metrics that there are, and pages that exist."""

from __future__ import annotations

import re
from pathlib import Path

from tools.reference import metrics

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "trade-offs.md").read_text(encoding="utf-8")


def settings() -> set[str]:
    """`table.name` of every setting, of nodes, sites and networks."""
    found: set[str] = set()
    for name in ("settings.md", "network.md"):
        table = ""
        for line in (DOCS / "reference" / name).read_text(encoding="utf-8").splitlines():
            if heading := re.match(r"### `\[+([a-z_.]+)\]+`|### At the top", line):
                table = f"{heading[1]}." if heading[1] else ""
            elif row := re.match(r"\| `([a-z_]+)` \|", line):
                found.add(table + row[1])
    return found


def test_settings_are_called_what_they_are():
    known = settings()
    assert {"disk.fsync", "protection.retry.share", "collapse", "load.start"} <= known
    named = set(re.findall(r"`([a-z]+(?:\.[a-z_]+)+)(?: = [^`]*)?`", PAGE))
    tables = {each.partition(".")[0] for each in known if "." in each}
    of_ours = {each for each in named if each.partition(".")[0] in tables}
    assert len(of_ours) > 15
    assert {each for each in of_ours if each not in known and f"{each}.share" not in known} == set()


def test_metrics_are_called_what_they_are():
    page = metrics()
    for name in re.findall(r"`(perigee_[a-z_]+)", PAGE):
        assert f"`{name}`" in page, name


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / target).exists(), target
