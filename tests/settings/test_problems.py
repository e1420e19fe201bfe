"""A problem is one line that says where, what, and what to write."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigFault
from edge.settings.problems import Path, Problem, SettingsFault, dotted, quoted, shown


@pytest.mark.parametrize(
    "problem, line",
    [
        (
            Problem("a.toml", 3, "ttl.max", "it is bad", "write good"),
            "a.toml:3: ttl.max: it is bad; write good",
        ),
        (Problem("a.toml", None, "", "it is bad", "write good"), "a.toml: it is bad; write good"),
        (Problem("a.toml", 1, "", "it is bad", ""), "a.toml:1: it is bad"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, line: str):
    assert str(problem) == line


def test_a_fault_says_all_of_them():
    one, two = Problem("a", 1, "x", "y", "z"), Problem("b", 2, "x", "y", "z")
    fault = SettingsFault([one, two])
    assert isinstance(fault, ConfigFault)
    assert fault.problems == (one, two)
    assert fault.detail == "a:1: x: y; z\nb:2: x: y; z"


@pytest.mark.parametrize(
    "path, said",
    [
        ((), ""),
        (("a", "b"), "a.b"),
        (("site", 0, "hostnames", 1), "site[0].hostnames[1]"),
        (("a.b", "c d"), '"a.b"."c d"'),
        (("a", "\n"), 'a."\\u000a"'),
    ],
)
def test_a_path_is_written_as_people_do(path: Path, said: str):
    assert dotted(path) == said


@given(st.text())
def test_what_is_quoted_is_toml_on_one_line(text: str):
    assert tomllib.loads(f"k = {quoted(text)}") == {"k": text}
    assert quoted(text).isprintable()


@pytest.mark.parametrize(
    "value, said",
    [
        ("x", '"x"'),
        ("x" * 100, '"' + "x" * 60 + '"...'),
        (True, "true"),
        (1.5, "1.5"),
        (10**5000, "a number that long"),
        ([1], "an array"),
        ({}, "a table"),
        (date(2026, 11, 24), "the date or time 2026-11-24"),
    ],
    ids=["text", "long text", "flag", "fraction", "long number", "array", "table", "date"],
)
def test_a_value_is_quoted_back_on_one_short_line(value: object, said: str):
    assert shown(value) == said
