"""The generated pages of docs/reference: what the code declares, as tables.

Owns: which pages there are and how each is made. `make reference` writes them; a test fails when one is not up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from edge.measures import Measures
from edge.semantics.reasons import SENTENCE, Because

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would break a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n"
        for line in lines
    )


def _page(title: str, source: str, about: str, body: str) -> str:
    return f"# {title}\n\n<!-- Generated from {source} by `make reference`; do not edit. -->\n\n{about}\n\n{body}"


def metrics() -> str:
    """Every metric of a node."""
    rows = [
        (
            f"`{said.name}`",
            said.kind.value,
            said.unit,
            ", ".join(f"`{label}`" for label in said.labels),
            said.help,
        )
        for said in Measures().registry.declarations()
    ]
    about = (
        "What `/metrics` on the admin port shows, in Prometheus's text format, for all workers of a node as one.\n"
        "Label values come from closed sets: configured sites and origins, and the words of [reasons](reasons.md)."
    )
    return _page(
        "Metrics", "edge/measures.py", about, table(("metric", "kind", "unit", "labels", "meaning"), rows)
    )


def reasons() -> str:
    """Every reason that a decision can have."""
    about = "The word stands in `Cache-Status` (as `detail`), in the access log, in metrics, and in `perigee explain`."
    rows = [(f"`{because.value}`", SENTENCE[because]) for because in Because]
    return _page("Reasons", "edge/semantics/reasons.py", about, table(("reason", "meaning"), rows))


PAGES: Mapping[str, Callable[[], str]] = {"metrics.md": metrics, "reasons.md": reasons}
"""File name to what makes its text. A page that is added here is written and checked from then on."""


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every page that differs; which ones did."""
    folder.mkdir(parents=True, exist_ok=True)
    changed: list[Path] = []
    for name, make in PAGES.items():
        path, text = folder / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for page in write():
        print(f"written: {page}")
