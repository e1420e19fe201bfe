"""The alert rules name metrics that there are, with labels that they have, and say something for each."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from tools.reference import dns_server, metrics

RULES = Path(__file__).resolve().parents[2] / "config" / "alerts.yml"
_ROW = re.compile(
    r"^\| `(perigee_[a-z_]+)` \| (counter|gauge|histogram) \|(?: [a-z]+ \|)? ((?:`[a-z]+`(?:, )?)*) ?\|",
    re.MULTILINE,
)
_NAMED = re.compile(r"(perigee_[a-z_]+)(?:\{([^}]*)\})?")
_PARTS = ("_bucket", "_sum", "_count")


def declared() -> dict[str, set[str]]:
    """Metrics by name, with their labels; of a histogram its parts."""
    found: dict[str, set[str]] = {}
    for name, kind, labels in _ROW.findall(metrics() + dns_server()):
        known = set(re.findall(r"`([a-z]+)`", labels))
        if kind == "histogram":
            found.update({name + part: known | {"le"} for part in _PARTS})
        else:
            found[name] = known
    return found


def rules() -> list[dict[str, Any]]:
    read: dict[str, Any] = importlib.import_module("yaml").safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def test_the_table_of_metrics_is_read():
    known = declared()
    assert known["perigee_requests_total"] == {"site", "cache", "because", "status"}
    assert "le" in known["perigee_loop_lag_seconds_bucket"]
    assert len(known) > 80


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_names_what_there_is(rule: dict[str, Any]):
    known = declared()
    named = _NAMED.findall(rule["expr"])
    assert named or rule["expr"].startswith("up")
    for metric, matchers in named:
        assert metric in known, metric
        for label in re.findall(r"([a-z_]+)(?:=~|!=|=)", matchers):
            assert label in known[metric], (metric, label)
    shown = re.findall(r"\$labels\.([a-z]+)", str(rule["annotations"]))
    for label in set(shown) - {"instance"}:
        assert any(label in known[metric] for metric, _ in named), label
        grouped = re.search(r"by \(([a-z, ]+)\)", rule["expr"])
        assert grouped is None or label in grouped[1].split(", "), label


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_what_it_means(rule: dict[str, Any]):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Perigee[A-Za-z]+", rule["alert"])
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert set(rule["annotations"]) == {"summary", "description"}
    assert re.fullmatch(r"[0-9]+[smh]", rule.get("for", "1m"))
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_rules_have_names_of_their_own():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
