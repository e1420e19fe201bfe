"""What is JSON, to the letter; and what is said of what is not."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.declined import Reason, Unacceptable
from edge.purge.requests_json import (
    flag_of,
    list_of,
    object_of,
    only,
    pointer,
    read_object,
    text_of,
)

REFUSED = [
    ("nothing", b"", Reason.NOT_JSON, "empty"),
    ("text", b"urls", Reason.NOT_JSON, "character 0"),
    ("cut off", b'{"urls": [', Reason.NOT_JSON, "character 10"),
    ("a tail", b"{} {}", Reason.NOT_JSON, "Extra data"),
    ("a comma too many", b'{"a": 1,}', Reason.NOT_JSON, ""),
    ("a comment", b"{} // all", Reason.NOT_JSON, ""),
    ("NaN", b'{"a": NaN}', Reason.NOT_JSON, "NaN"),
    ("Infinity", b'{"a": -Infinity}', Reason.NOT_JSON, "-Infinity"),
    ("a number without end", b'{"a": ' + b"1" * 5000 + b"}", Reason.NOT_JSON, "digits"),
    ("a control character in text", b'{"a": "\n"}', Reason.NOT_JSON, "control"),
    ("Latin-1", b'{"a": "\xe9"}', Reason.NOT_UTF_8, "byte 7"),
    ("overlong UTF-8", b'{"a": "\xc0\xaf"}', Reason.NOT_UTF_8, "byte 7"),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), Reason.NOT_UTF_8, ""),
    ("a byte order mark", b"\xef\xbb\xbf{}", Reason.NOT_JSON, "BOM"),
    ("an array", b'["a"]', Reason.WRONG_TYPE, "an array"),
    ("null", b"null", Reason.WRONG_TYPE, "null"),
    ("a member twice", b'{"urls": [], "soft": true, "urls": ["x"]}', Reason.MEMBER_TWICE, '"urls"'),
    ("a member twice, spelled otherwise", b'{"soft": 1, "\\u0073oft": 0}', Reason.MEMBER_TWICE, '"soft"'),
    ("a member twice, deep down", b'{"a": [{"b": 1, "b": 2}]}', Reason.MEMBER_TWICE, '"b"'),
    ("a pit of arrays", b"[" * 100_000, Reason.JSON_TOO_DEEP, "deep"),
    ("a pit of objects", b'{"a":' * 100_000, Reason.JSON_TOO_DEEP, "deep"),
]


@pytest.mark.parametrize(
    ("body", "reason", "detail"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_no_json_object_is_refused(body: bytes, reason: Reason, detail: str):
    with pytest.raises(Unacceptable) as refused:
        read_object(body)
    assert refused.value.why.reason is reason
    assert detail in refused.value.why.detail


def test_what_is_one_is_read():
    assert read_object(' {"url": ["é", 1, true, null]} '.encode()) == {"url": ["é", 1, True, None]}


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes):
    with suppress(Unacceptable):
        assert isinstance(read_object(body), dict)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), st.booleans() | st.none(), max_size=5)
)
def test_what_another_writer_wrote_is_read(said: dict[str, object]):
    assert read_object(json.dumps(said).encode()) == said


@pytest.mark.parametrize(
    ("reading", "said", "word"),
    [
        (text_of, 5, "a number, not a string"),
        (text_of, None, "null, not a string"),
        (flag_of, 1, "a number, not true or false"),
        (flag_of, "true", "a string, not true or false"),
        (list_of, "a", "a string, not an array"),
        (list_of, {}, "an object, not an array"),
        (object_of, [], "an array, not an object"),
        (object_of, True, "a boolean, not an object"),
    ],
)
def test_a_member_of_another_type_is_refused_where_it_stands(reading, said: object, word: str):
    with pytest.raises(Unacceptable) as refused:
        reading(said, "/urls/3")
    assert (refused.value.why.reason, refused.value.why.detail, refused.value.why.where) == (
        Reason.WRONG_TYPE,
        word,
        "/urls/3",
    )


def test_text_with_half_a_character_is_refused():
    said = read_object(b'{"a": "x\\udc80"}')
    with pytest.raises(Unacceptable) as refused:
        text_of(said["a"], "/a")
    assert refused.value.why.reason is Reason.NOT_UTF_8


def test_a_member_that_is_not_known_is_refused_by_its_name():
    with pytest.raises(Unacceptable) as refused:
        only({"urls": [], "url": "x"}, ("urls",), "/at")
    assert (refused.value.why.reason, refused.value.why.where) == (Reason.UNKNOWN_MEMBER, "/at/url")


def test_a_pointer_escapes_what_has_a_meaning_in_it():
    assert pointer("/a", "b/c~d") == "/a/b~1c~0d"
    assert pointer("", 0) == "/0"
