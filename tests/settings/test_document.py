"""What is wrong with a text is said with its line: syntax, unknown names, values, orders, secrets."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge.semantics.message import Line
from edge.settings.document import MAX_FILE_BYTES, MAX_LINE_BYTES, names_at_top, parse, read_table
from edge.settings.field_kinds import FieldLines, FieldName
from edge.settings.kinds import Count, Duration, Kind
from edge.settings.node_schema import NODE
from edge.settings.problems import SettingsFault
from edge.settings.schema import Order, Schema, Setting

FIELDS: Kind[object] = FieldLines(FieldName(lower=False))


@dataclass(frozen=True, slots=True)
class Model:
    count: int = 5
    low: float = 1.0
    high: float = 60.0
    fields: tuple[Line, ...] = ()
    open_fields: tuple[Line, ...] = ()


SCHEMA = Schema(
    Model(),
    (
        Setting("count", Count(0, 10), "count", "why"),
        Setting("ttl.low", Duration(0, 100), "low", "why"),
        Setting("ttl.high", Duration(0, 100), "high", "why"),
        Setting("deep.er.fields", FIELDS, "fields", "why", secret=True),
        Setting("deep.er.open", FIELDS, "open_fields", "why"),
    ),
    tables={"": "", "ttl": "", "deep": "", "deep.er": ""},
    orders=(Order("ttl.low", "ttl.high"),),
)

BAD_TEXTS = [
    ("a = 30s", "f:1: this is no TOML: ", ""),
    ("\n\na = yes", "f:3: this is no TOML: Invalid value (column 5); ", "quotes"),
    ("a = 1\na = 2", "f:2: this is no TOML: Cannot overwrite a value", "once"),
    ("[a]\nx = 1\n[a]", "f:3: this is no TOML: ", "once"),
    ("a", "f:1: this is no TOML: ", "toml.io"),
    ('a = 1\nb = "', "f:2: this is no TOML: ", ""),
    ("a = [1,\n\n", "f:", ""),
    ("\ufeffa = 1", "f:1: the text starts with a byte order mark", "without"),
    ("a = " + "[" * 5000, "f", ""),
    ("a = " + "9" * 5000, "f", ""),
]


@pytest.mark.parametrize("text, start, instead", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_what_is_no_toml_is_said_with_its_line(text: str, start: str, instead: str):
    with pytest.raises(SettingsFault) as fault:
        parse("f", text.encode())
    [problem] = fault.value.problems
    assert str(problem).startswith(start)
    assert instead in problem.instead


@pytest.mark.parametrize(
    "data, line, wrong",
    [
        (b"a = 1\nb = '\xff'", 2, "the text is not UTF-8"),
        (b"a = 1\n#" + b"x" * MAX_LINE_BYTES, 2, "the line is too long"),
        (b"\n" * (MAX_FILE_BYTES + 1), None, "the file is too large"),
    ],
)
def test_what_is_no_text_of_ours_is_refused(data: bytes, line: int | None, wrong: str):
    with pytest.raises(SettingsFault) as fault:
        parse("f", data)
    assert [(p.line, p.wrong) for p in fault.value.problems] == [(line, wrong)]


def test_a_line_and_a_file_at_the_limit_are_taken():
    parse("f", b"#" + b"x" * (MAX_LINE_BYTES - 1))
    parse("f", (b"#" + b"x" * 1022 + b"\n") * (MAX_FILE_BYTES // 1024))


HERE = "allowed here: count, ttl, deep"
BAD_TABLES = [
    ("count = 11", ["f:1: count: 11 is more than is allowed; allowed: 0 to 10"]),
    ("\ncuont = 1", [f"f:2: cuont: this is not known; did you mean count? {HERE}"]),
    ("\nfields = 1", [f"f:2: fields: this is not known; did you mean deep.er.fields? {HERE}"]),
    ("low_ttl = 1", [f"f:1: low_ttl: this is not known; did you mean ttl.low? {HERE}"]),
    ("zzz = 1", [f"f:1: zzz: this is not known; {HERE}"]),
    ('"ttl.low" = "1s"', [f'f:1: "ttl.low": this is not known; did you mean ttl.low? {HERE}']),
    ("ttl = 3", ["f:1: ttl: 3 stands where a table belongs; write [ttl] with low, high"]),
    ("[[ttl]]\nlow = 1", ["f:1: ttl: an array stands where a table belongs; write [ttl] with low, high"]),
    ("[deep.er.more]\nx = 1", ["f:1: deep.er.more: this is not known; allowed here: fields, open"]),
    (
        '[ttl]\nlow = "9s"\nhigh = "8s"',
        ['f:2: ttl.low: "9s" is more than ttl.high ("8s"); lower it, or raise ttl.high'],
    ),
    (
        'ttl = { low = "70s" }',
        ['f:1: ttl.low: "1m10s" is more than ttl.high ("1m", its default); lower it, or raise ttl.high'],
    ),
    (
        '[ttl]\nlow = 3\n[deep.er.fields]\nHost = "x"\nX-A = ["a",\n "b\\n"]\n[deep]\nx = 1',
        [
            'f:2: ttl.low: 3 has no unit; write "3s" if seconds are meant',
            (
                'f:4: deep.er.fields.Host: "Host" cannot be named here; it names the site; write origin.host_header for another '
                "one towards the origin"
            ),
            "f:6: deep.er.fields.X-A[1]: its value has a CR, LF or NUL in it; write one line; these could forge another field",
            "f:8: deep.x: this is not known; allowed here: er",
        ],
    ),
    (
        '[deep.er.fields]\nX-A = { env = "GONE" }\nX-B = [\n "b", { env = 3 } ]\nX-C = { env = "BAD" }',
        [
            "f:2: deep.er.fields.X-A: the environment has no GONE; set it before the start",
            "f:4: deep.er.fields.X-B[1]: the environment has no 3; set it before the start",
        ],
    ),
    (
        '[deep.er.fields]\nX-C = { env = "BAD" }',
        [
            "f:2: deep.er.fields.X-C: its value has a CR, LF or NUL in it; write one line; these could forge another field"
        ],
    ),
    (
        '[deep.er.open]\nX-A = { env = "TOKEN" }',
        ["f:2: deep.er.open.X-A: a table is no text; write the value in quotes"],
    ),
]
ENV = {"TOKEN": "s3cret", "BAD": "s3\ncret"}


@pytest.mark.parametrize("text, said", BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_everything_that_is_wrong_is_found_with_its_line(text: str, said: list[str]):
    document = parse("f", text.encode())
    problems = read_table(document, document.table, SCHEMA, env=ENV).problems
    assert [str(problem) for problem in sorted(problems, key=lambda p: p.line or 0)] == said


def test_a_secret_comes_from_the_environment_where_it_may():
    document = parse("f", b'[deep.er.fields]\nX-A = { env = "TOKEN" }\nX-B = ["b", { env = "TOKEN" }]')
    written = read_table(document, document.table, SCHEMA, env=ENV)
    assert written.problems == []
    assert written.values["deep.er.fields"] == ((b"X-A", b"s3cret"), (b"X-B", b"b"), (b"X-B", b"s3cret"))


def test_a_secret_that_is_one_text_comes_from_the_environment_too():
    document = parse("f", b'[nats]\ntoken = { env = "TOKEN" }')
    assert read_table(document, document.table, NODE, env=ENV).values == {"nats.token": "s3cret"}
    problems = read_table(document, document.table, NODE, env={}).problems
    assert [str(each) for each in problems] == [
        "f:2: nats.token: the environment has no TOKEN; set it before the start"
    ]


def test_a_table_within_a_document_is_read_where_it_stands():
    document = parse("f", b"[[site]]\n[[site]]\ncount = 11\n")
    sites = document.table["site"]
    assert isinstance(sites, list)
    problems = read_table(document, sites[1], SCHEMA, base=("site", 1), env={}).problems
    assert [(p.line, p.setting) for p in problems] == [(3, "site[1].count")]


def test_what_somebody_else_reads_is_left_alone():
    document = parse("f", b"site = 1\n[ttl]\nsite = 1")
    problems = read_table(document, document.table, SCHEMA, env={}, besides=frozenset({"site"})).problems
    assert [p.setting for p in problems] == ["ttl.site"]


def test_a_document_is_told_by_its_names():
    assert names_at_top({"count": 1, "ttl": {}, "x": 1}, SCHEMA) == 2
