"""expected.json: the tests that do not pass, each with its reason. It may only shrink, or grow with a reason."""

import json
from pathlib import Path

FILE = Path(__file__).with_name("expected.json")
FLOOR = 237
"""Required + optimal tests that must pass, of 260. The best cache measured beside ours passes 192."""


def recorded() -> dict[str, str]:
    """Test id to the reason why it does not pass."""
    groups: list[dict[str, str | list[str]]] = json.loads(FILE.read_text(encoding="utf-8"))["not_passing"]
    return {test_id: str(group["reason"]) for group in groups for test_id in group["ids"]}
