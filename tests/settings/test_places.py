"""Every key of a TOML text is found on its line; no text makes the scanner raise or run for ever."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.places import line_of, locate
from edge.settings.problems import Path, quoted

DOCUMENTS: list[tuple[str, str, dict[Path, int]]] = [
    ("top", "a = 1\n\n# c\nb = 2", {("a",): 1, ("b",): 4}),
    ("tables", "[a]\nx = 1\n[a.b]\ny = 2", {("a",): 1, ("a", "x"): 2, ("a", "b"): 3, ("a", "b", "y"): 4}),
    ("a table that only its child declares", "\n[a.b]\n", {("a",): 2, ("a", "b"): 2}),
    ("spaced header", "[ a . b ] # c\nx = 1", {("a", "b"): 1, ("a", "b", "x"): 2}),
    (
        "dotted keys",
        "a.b.c = 1\na.b.d = 2",
        {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 2},
    ),
    ("quoted keys", '"a.b" = 1\n\'c"\' = 2\n"\\u0064\\"" = 3', {("a.b",): 1, ('c"',): 2, ('d"',): 3}),
    ("quoted header", '\n["a.b".c]\nx = 1', {("a.b", "c"): 2, ("a.b", "c", "x"): 3}),
    ("empty key", "\"\" = 1\n'' .x = 2".replace("'' .x", "z.''"), {("",): 1, ("z", ""): 2}),
    ("inline table", "t = { a = 1, b.c = { d = 2 } }", {("t", "a"): 1, ("t", "b", "c", "d"): 1}),
    (
        "array over lines",
        "a = [\n 1, # x ]\n [ 2,\n  3 ],\n]\nb = 1",
        {("a", 0): 2, ("a", 1, 1): 4, ("b",): 6},
    ),
    ("tables in an array", "a = [\n { x = 1 },\n { x = 2 } ]", {("a", 0, "x"): 2, ("a", 1, "x"): 3}),
    ("empty brackets", "a = []\nb = {}\nc = [ [], {} ]\nd = 1", {("c", 1): 3, ("d",): 4}),
    (
        "arrays of tables",
        "[[s]]\nx = 1\n[[s]]\nx = 2\n[s.t]\ny = 1\n[[s.u]]\n[[s.u]]\nz = 1\n[o]",
        {
            ("s",): 1,
            ("s", 0, "x"): 2,
            ("s", 1): 3,
            ("s", 1, "x"): 4,
            ("s", 1, "t", "y"): 6,
            ("s", 1, "u", 1, "z"): 9,
            ("o",): 10,
        },
    ),
    (
        "multi-line strings",
        'a = """\nx = 1\n[b]\n\\""" """\nc = \'\'\'\n"\n\'\'\'\nd = 1',
        {("c",): 5, ("d",): 8},
    ),
    ("strings that end in quotes", 'a = """x"""""\nb = \'\'\'y\'\'\'\'\nc = 1', {("b",): 2, ("c",): 3}),
    ("strings with brackets", 'a = ["]", \'}\', "#"]\nb = "\\""\nc = 1', {("a", 2): 1, ("b",): 2, ("c",): 3}),
    ("dates", "a = 1979-05-27 07:32:00 # x\nb = [1979-05-27, 2000-01-01]\nc = 1", {("b", 1): 2, ("c",): 3}),
    ("CRLF", "a = 1\r\n[b]\r\nc = 2\r\n", {("a",): 1, ("b", "c"): 3}),
]


@pytest.mark.parametrize(
    "source, expected", [case[1:] for case in DOCUMENTS], ids=[case[0] for case in DOCUMENTS]
)
def test_a_key_is_found_on_its_line(source: str, expected: dict[Path, int]):
    places = locate(source)
    assert {path: places.get(path) for path in expected} == expected
    assert set(paths(tomllib.loads(source))) == set(places)


def paths(value: object, at: Path = ()) -> Iterator[Path]:
    if at:
        yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*at, index))


def test_what_is_not_there_is_on_the_line_of_what_is_around_it():
    places = locate("a = 1\n[b]\nc = 1")
    assert line_of(places, ("b", "missing", 3)) == 2
    assert line_of(places, ("missing",)) == 1
    assert line_of(places, ()) == 1


SCALARS = st.one_of(
    st.integers(-10, 10).map(str),
    st.text(max_size=8).map(quoted),
    st.sampled_from(["true", "1.5", "1979-05-27 07:32:00", "'x]'", '"""\n=\n"""', "'''a\n]'''"]),
)
KEYS = st.one_of(st.sampled_from(["a", "b-1", "c_2"]), st.text(max_size=4).map(quoted))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ " + ", # ]\n".join(items) + "\n]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + " }"
        )
    ),
    max_leaves=6,
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    st.tuples(KEYS, KEYS, VALUES).map(lambda parts: f"{parts[0]} . {parts[1]} = {parts[2]} # c"),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f"[{'.'.join(keys)}]"),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f"[[ {' . '.join(keys)} ]]"),
    st.just(""),
)


@given(st.lists(LINES, max_size=6).map("\n".join))
def test_every_path_of_any_document_is_found(source: str):
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError:
        return
    assert set(paths(table)) == set(locate(source))


@given(st.one_of(st.text(max_size=80), st.text("[]{}=,.#'\"\\ab1 \n", max_size=80)))
def test_no_text_stops_the_scanner(source: str):
    lines = source.count("\n") + 1
    assert all(1 <= line <= lines for line in locate(source).values())


def test_deep_nesting_does_not_recurse():
    assert ("a",) in locate("a = " + "[" * 10_000)
