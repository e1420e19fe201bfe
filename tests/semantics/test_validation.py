"""Validation: what we ask, what an answer says of what we hold, what a client's preconditions say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.message import UnixSeconds
from edge.semantics.stored import Validators
from edge.semantics.validation import (
    MAX_TAGS_SENT,
    Precondition,
    Selection,
    conditional_fields,
    evaluate_preconditions,
    freshened_head,
    head_updates,
    identified,
    only_for_origin,
    parse_validators,
    range_applies,
    selects,
    strongly_equal,
    weakly_equal,
)
from tests.kit.stored_responses import NOW, answered, asking, holding

# one minute apart, NOW is between the second and the third
T1 = b"Tue, 24 Nov 2026 06:38:00 GMT"
T2 = b"Tue, 24 Nov 2026 06:39:00 GMT"
T2_850 = b"Tuesday, 24-Nov-26 06:39:00 GMT"
T3 = b"Tue, 24 Nov 2026 06:41:00 GMT"
ETAG, LM, DATE = b"ETag", b"Last-Modified", b"Date"
IM, IUS, INM, IMS, IR = (
    b"If-Match",
    b"If-Unmodified-Since",
    b"If-None-Match",
    b"If-Modified-Since",
    b"If-Range",
)


# --- validators ------------------------------------------------------------------------------------------------------

VALIDATORS = [
    # fields, etag, last_modified, last_modified_at, date_at
    ([], Validators(None, None, None, NOW)),
    ([(ETAG, b'"a"'), (LM, T1), (DATE, T2)], Validators(b'"a"', T1, NOW - 120, NOW - 60)),
    ([(ETAG, b"a b"), (LM, T2_850)], Validators(b"a b", T2_850, NOW - 60, NOW)),
    ([(ETAG, b""), (LM, b"yesterday"), (DATE, b"today")], Validators(None, None, None, NOW)),
    ([(ETAG, b'"a"'), (ETAG, b'"b"'), (LM, T1), (LM, T2)], Validators(None, None, None, NOW)),
]


@pytest.mark.parametrize(("lines", "expected"), VALIDATORS)
def test_validators_are_kept_as_they_came(lines, expected):
    assert parse_validators(answered(*lines), UnixSeconds(NOW)) == expected


def test_a_response_is_usable_for_validation_when_it_has_a_validator():
    assert holding((ETAG, b"x")).validators.usable
    assert holding((LM, T1)).validators.usable
    assert not holding((LM, b"x")).validators.usable


COMPARISONS = [
    # RFC 9110 s8.8.3.2 and http-cache-tests conditional-etag-*: one, other, strong, weak
    (b'W/"1"', b'W/"1"', False, True),
    (b'W/"1"', b'W/"2"', False, False),
    (b'W/"1"', b'"1"', False, True),
    (b'"1"', b'"1"', True, True),
    (b'"1"', b'"2"', False, False),
    (b'"\xfc"', b'"\xfc"', True, True),
    (b"1", b'"1"', False, True),
    (b"1", b"1", False, True),
    (b'w/"1"', b'W/"1"', False, True),
    (b'W\\"1"', b'W\\"1"', False, True),
    (b'W"1"', b'W"1"', False, True),
    (b'W"1"', b'"1"', False, False),
    (b'"1', b'"1"', False, False),
    (b'"', b'"', False, True),
    (b'"a b"', b'"a b"', False, True),
    (b'"A"', b'"a"', False, False),
]


@pytest.mark.parametrize(("one", "other", "strong", "weak"), COMPARISONS)
def test_tags_compare_strongly_and_weakly(one, other, strong, weak):
    assert strongly_equal(one, other) is strong
    assert weakly_equal(one, other) is weak
    assert weakly_equal(other, one) is weak


# --- what we ask -----------------------------------------------------------------------------------------------------

ASKED = [
    ("nothing to ask by", [[]], ()),
    ("conditional-etag-strong-generate", [[(ETAG, b'"a"')]], ((INM, b'"a"'),)),
    ("conditional-etag-weak-generate-weak", [[(ETAG, b'W/"a"')]], ((INM, b'W/"a"'),)),
    ("unquoted goes back unquoted", [[(ETAG, b"a")]], ((INM, b"a"),)),
    ("9111 s4.3.1 both", [[(ETAG, b'"a"'), (LM, T1)]], ((INM, b'"a"'), (IMS, T1))),
    ("9111 s4.3.1 date as it came", [[(LM, T2_850)]], ((IMS, T2_850),)),
    ("several: tags only", [[(ETAG, b'"a"'), (LM, T1)], [(ETAG, b'W/"b"')]], ((INM, b'"a", W/"b"'),)),
    ("several: each once", [[(ETAG, b'"a"')], [(ETAG, b'"a"')]], ((INM, b'"a"'),)),
    ("several: malformed left out", [[(ETAG, b"a, b")], [(ETAG, b'"c"')], [(LM, T1)]], ((INM, b'"c"'),)),
    ("several, none usable", [[(ETAG, b"a")], [(LM, T1)]], ()),
]


@pytest.mark.parametrize(("name", "held", "expected"), ASKED)
def test_a_conditional_request_names_what_is_held(name, held, expected):
    assert conditional_fields([holding(*lines) for lines in held]) == expected


def test_the_tags_in_one_request_are_bounded():
    held = [holding((ETAG, b'"%d"' % n)) for n in range(MAX_TAGS_SENT + 1)]
    ((_, value),) = conditional_fields(held)
    assert value.count(b",") == MAX_TAGS_SENT - 1


# --- what a 304 says -------------------------------------------------------------------------------------------------

SELECTIONS = [
    # RFC 9111 s4.3.4: name, stored, 304, verdict
    ("same strong tag", [(ETAG, b'"a"')], [(ETAG, b'"a"')], Selection.STRONG),
    ("other strong tag", [(ETAG, b'"a"')], [(ETAG, b'"b"')], Selection.NONE),
    ("same weak tag", [(ETAG, b'W/"a"')], [(ETAG, b'W/"a"')], Selection.WEAK),
    ("weak for strong", [(ETAG, b'"a"')], [(ETAG, b'W/"a"')], Selection.WEAK),
    ("tag beats date", [(ETAG, b'"a"'), (LM, T1), (DATE, T2)], [(ETAG, b'"b"'), (LM, T1)], Selection.NONE),
    ("date later than the change", [(LM, T1), (DATE, T2)], [(LM, T1)], Selection.STRONG),
    ("date of the same second", [(LM, T1), (DATE, T1)], [(LM, T1)], Selection.WEAK),
    ("no date", [(LM, T1)], [(LM, T1)], Selection.WEAK),
    ("the same date, spelled otherwise", [(LM, T2)], [(LM, T2_850)], Selection.WEAK),
    ("another date", [(LM, T1)], [(LM, T2)], Selection.NONE),
    ("no date of ours", [], [(LM, T2)], Selection.NONE),
    ("nonsense", [], [(LM, b"now")], Selection.NONE),
    ("tag on one side, same date", [(ETAG, b'"a"'), (LM, T1), (DATE, T2)], [(LM, T1)], Selection.STRONG),
    ("no validator", [(ETAG, b'"a"')], [], Selection.NONE),
]


@pytest.mark.parametrize(("name", "stored", "response", "verdict"), SELECTIONS)
def test_a_304_selects_by_its_validators(name, stored, response, verdict):
    assert selects(holding(*stored), answered(*response, status=304)) is verdict


IDENTIFIED = [
    # name, stored responses, 304, which are updated
    (
        "strong: all that have it",
        [[(ETAG, b'"a"')], [(ETAG, b'"b"')], [(ETAG, b'"a"')]],
        [(ETAG, b'"a"')],
        [0, 2],
    ),
    ("strong: none has it", [[(ETAG, b'"a"')], [(ETAG, b'"b"')]], [(ETAG, b'"c"')], []),
    (
        "weak: the most recent",
        [[(ETAG, b'W/"a"'), (DATE, T2)], [(ETAG, b'W/"a"'), (DATE, T1)]],
        [(ETAG, b'W/"a"')],
        [0],
    ),
    ("no validator, several", [[], []], [], []),
    ("no validator, one", [[]], [], [0]),
    ("no validator, one with a tag", [[(ETAG, b'"a"')]], [], [0]),
    ("304-etag-update-response-ETag", [[(ETAG, b'"a"')]], [(ETAG, b'"b"')], [0]),
    ("asked by date, new tag", [[(LM, T1)]], [(ETAG, b'"b"')], [0]),
    ("asked by date, other date", [[(LM, T1)]], [(LM, T2)], []),
    ("asked by tag, other date", [[(ETAG, b'"a"'), (LM, T1)]], [(LM, T2)], [0]),
    ("nothing was asked", [], [(ETAG, b'"a"')], []),
]


@pytest.mark.parametrize(("name", "held", "response", "updated"), IDENTIFIED)
def test_a_304_identifies_what_it_updates(name, held, response, updated):
    stored = [holding(*lines) for lines in held]
    assert [stored.index(one) for one in identified(stored, answered(*response, status=304))] == updated


def test_a_304_replaces_fields_but_not_what_describes_the_bytes():
    stored = answered(
        (ETAG, b'"a"'),
        (b"Content-Encoding", b"gzip"),
        (b"Content-Range", b"bytes 0-9/10"),
        (b"X-Kept", b"1"),
        (b"x-two", b"1"),
        (b"X-Two", b"2"),
        (b"Content-Type", b"text/plain"),
    )
    update = answered(
        (b"etag", b'"b"'),
        (b"Content-Encoding", b"br"),
        (b"Content-Length", b"0"),
        (b"Content-MD5", b"x"),
        (b"Content-Range", b"x"),
        (b"Transfer-Encoding", b"x"),
        (b"Age", b"7"),
        (b"X-TWO", b"3"),
        (b"Content-Type", b"text/html"),
        (b"X-New", b"4"),
        (b"X-New", b"5"),
        status=304,
    )
    assert freshened_head(stored, update) == answered(
        (ETAG, b'"a"'),
        (b"Content-Encoding", b"gzip"),
        (b"Content-Range", b"bytes 0-9/10"),
        (b"X-Kept", b"1"),
        (b"X-TWO", b"3"),
        (b"Content-Type", b"text/html"),
        (b"X-New", b"4"),
        (b"X-New", b"5"),
    )


HEADS = [
    # RFC 9111 s4.3.5: name, stored, HEAD's 200, Content-Length, verdict; ten bytes are stored
    ("no validator", [], [], None, True),
    ("same tag and date", [(ETAG, b'"a"'), (LM, T1)], [(ETAG, b'"a"'), (LM, T1)], 10, True),
    ("received ones only", [(ETAG, b'"a"'), (LM, T1)], [(LM, T1)], None, True),
    ("other tag", [(ETAG, b'"a"')], [(ETAG, b'"b"')], None, False),
    ("new tag", [], [(ETAG, b'"b"')], None, False),
    ("other date", [(LM, T1)], [(LM, T2)], None, False),
    ("other length", [(ETAG, b'"a"')], [(ETAG, b'"a"')], 11, False),
]


@pytest.mark.parametrize(("name", "stored", "response", "length", "verdict"), HEADS)
def test_a_head_updates_what_it_agrees_with(name, stored, response, length, verdict):
    assert head_updates(holding(*stored), answered(*response), length) is verdict


def test_a_head_that_is_no_200_updates_nothing():
    assert not head_updates(holding(), answered(status=410))
    assert not head_updates(holding(status=410), answered(status=410))


# --- what a client's preconditions say -------------------------------------------------------------------------------

PASS, SAME, FAILED = Precondition.PASS, Precondition.NOT_MODIFIED, Precondition.FAILED
TAGGED = [(ETAG, b'"a"'), (LM, T1), (DATE, T2)]
PRECONDITIONS = [
    # name, stored, request, verdict
    ("none", TAGGED, [], PASS),
    ("conditional-etag-strong-respond", TAGGED, [(INM, b'"a"')], SAME),
    ("9110 s13.1.2 other", TAGGED, [(INM, b'"b"')], PASS),
    ("9110 s13.1.2 weak comparison", TAGGED, [(INM, b'W/"a"')], SAME),
    ("9110 s13.1.2 star", TAGGED, [(INM, b"*")], SAME),
    ("9110 s13.1.2 star without a tag of ours", [], [(INM, b"*")], SAME),
    ("9110 s13.1.2 star in a list", TAGGED, [(INM, b'*, "b"')], PASS),
    ("9110 s13.1.2 no tag of ours", [(LM, T1)], [(INM, b'"a"')], PASS),
    ("conditional-etag-strong-respond-multiple-first", TAGGED, [(INM, b'"a", "1", "2"')], SAME),
    ("conditional-etag-strong-respond-multiple-second", TAGGED, [(INM, b'"1", "a", "2"')], SAME),
    ("conditional-etag-strong-respond-multiple-last", TAGGED, [(INM, b'"1" , "2", "a"')], SAME),
    ("several lines", TAGGED, [(INM, b'"1"'), (INM, b'"a"')], SAME),
    ("comma in a tag", [(ETAG, b'"1,a"')], [(INM, b'"0", "1,a"')], SAME),
    ("comma in another tag", TAGGED, [(INM, b'"1,"a""')], PASS),
    ("unclosed", TAGGED, [(INM, b'"1, "a')], PASS),
    ("empty", TAGGED, [(INM, b"")], PASS),
    ("conditional-etag-quoted-respond-unquoted", TAGGED, [(INM, b"a")], SAME),
    ("conditional-etag-unquoted-respond-quoted", [(ETAG, b"a")], [(INM, b'"a"')], SAME),
    ("conditional-etag-unquoted-respond-unquoted", [(ETAG, b"a")], [(INM, b"a")], SAME),
    ("conditional-etag-weak-respond-lowercase", [(ETAG, b'w/"a"')], [(INM, b'w/"a"')], SAME),
    ("conditional-etag-weak-respond-backslash", [(ETAG, b'W\\"a"')], [(INM, b'W\\"a"')], SAME),
    ("conditional-etag-weak-respond-omit-slash", [(ETAG, b'W"a"')], [(INM, b'W"a"')], SAME),
    ("conditional-etag-strong-respond-obs-text", [(ETAG, b'"\xfc"')], [(INM, b'"\xfc"')], SAME),
    ("conditional-etag-precedence", TAGGED, [(INM, b'"a"'), (IMS, T1)], SAME),
    ("9110 s13.1.3 ignored beside If-None-Match", TAGGED, [(INM, b'"b"'), (IMS, T3)], PASS),
    ("conditional-lm-fresh", TAGGED, [(IMS, T1)], SAME),
    ("conditional-lm-fresh-earlier", TAGGED, [(IMS, T2)], SAME),
    ("conditional-lm-fresh-rfc850", [(LM, T2)], [(IMS, T2_850)], SAME),
    ("9110 s13.1.3 modified since", [(LM, T2)], [(IMS, T1)], PASS),
    ("9110 s13.1.3 no date", TAGGED, [(IMS, b"now")], PASS),
    ("9110 s13.1.3 more than one", TAGGED, [(IMS, T2), (IMS, T2)], PASS),
    ("conditional-lm-fresh-no-lm", [(DATE, T2)], [(IMS, T1)], PASS),
    ("9111 s4.3.2 Date instead", [(DATE, T2)], [(IMS, T2)], SAME),
    ("9111 s4.3.2 time of receipt instead", [], [(IMS, T2)], PASS),
    ("9111 s4.3.2 time of receipt instead", [], [(IMS, T3)], SAME),
    ("9110 s13.1.3 no date, nothing of ours", [], [(IMS, b"now")], PASS),
    ("9110 s13.1.1 same", TAGGED, [(IM, b'"b", "a"')], PASS),
    ("9110 s13.1.1 star", [], [(IM, b"*")], PASS),
    ("9110 s13.1.1 other", TAGGED, [(IM, b'"b"')], FAILED),
    ("9110 s13.1.1 strong comparison", TAGGED, [(IM, b'W/"a"')], FAILED),
    ("9110 s13.1.1 no tolerance", [(ETAG, b"a")], [(IM, b"a")], FAILED),
    ("9110 s13.1.1 no tag of ours", [(LM, T1)], [(IM, b'"a"')], FAILED),
    ("9110 s13.2.2 then If-None-Match", TAGGED, [(IM, b'"a"'), (INM, b'"a"')], SAME),
    ("9110 s13.1.4 unmodified", TAGGED, [(IUS, T1)], PASS),
    ("9110 s13.1.4 modified", [(LM, T2)], [(IUS, T1)], FAILED),
    ("9110 s13.1.4 no date", [(LM, T2)], [(IUS, b"0")], PASS),
    ("9110 s13.1.4 no modification date", [(DATE, T3)], [(IUS, T1)], PASS),
    ("9110 s13.1.4 ignored beside If-Match", [(ETAG, b'"a"'), (LM, T2)], [(IM, b'"a"'), (IUS, T1)], PASS),
]


@pytest.mark.parametrize(("name", "stored", "request_lines", "verdict"), PRECONDITIONS)
def test_preconditions_are_evaluated_in_order(name, stored, request_lines, verdict):
    assert evaluate_preconditions(asking(*request_lines), holding(*stored)) is verdict
    assert evaluate_preconditions(asking(*request_lines, method=b"HEAD"), holding(*stored)) is verdict


def test_preconditions_say_nothing_of_other_methods_and_statuses():
    assert evaluate_preconditions(asking((INM, b"*"), method=b"POST"), holding()) is PASS
    assert evaluate_preconditions(asking((INM, b"*")), holding(status=404)) is PASS


def test_preconditions_for_the_origin_are_noticed():
    assert only_for_origin(asking((IM, b"*")))
    assert only_for_origin(asking((IUS, T1)))
    assert not only_for_origin(asking((INM, b"*"), (IMS, T1), (IR, T1)))


IF_RANGE = [
    # RFC 9110 s13.1.5: name, stored, If-Range, verdict
    ("none", TAGGED, None, True),
    ("same tag", TAGGED, b'"a"', True),
    ("other tag", TAGGED, b'"b"', False),
    ("weak tag", [(ETAG, b'W/"a"')], b'W/"a"', False),
    ("unquoted tag is no date", [(ETAG, b"a")], b"a", False),
    ("no tag of ours", [(LM, T1), (DATE, T2)], b'"a"', False),
    ("strong date", TAGGED, T1, True),
    ("later date", TAGGED, T2, False),
    ("weak date: of the same second", [(LM, T1), (DATE, T1)], T1, False),
    ("weak date: no Date", [(LM, T1)], T1, False),
    ("no date of ours", [(DATE, T1)], T1, False),
    ("nonsense", TAGGED, b"x", False),
]


@pytest.mark.parametrize(("name", "stored", "condition", "verdict"), IF_RANGE)
def test_if_range_takes_strong_validators_only(name, stored, condition, verdict):
    request = asking() if condition is None else asking((IR, condition))
    assert range_applies(request, holding(*stored)) is verdict


@given(st.lists(st.sampled_from([b'"', b",", b"a", b" ", b"W/", b"\\", b"*"]), max_size=30).map(b"".join))
def test_no_list_of_tags_is_beyond_reading(value):
    assert evaluate_preconditions(asking((INM, value)), holding((ETAG, b'"zz"'))) in {PASS, SAME}
    assert evaluate_preconditions(asking((INM, value + b', "zz"')), holding((ETAG, b'"zz"'))) is SAME or value.count(b'"') % 2  # fmt: skip
