"""Scoring follows the suite's own verdict order, and the ratchet moves one way."""

import pytest

from tests.conformance.score import Kind, Result, Test, Verdict, departures, passed, score, summary, table

TESTS = [
    Test("base", "s", Kind.REQUIRED),
    Test("leaf", "s", Kind.OPTIMAL, depends_on=("base",)),
    Test("info", "t", Kind.CHECK),
    Test("page", "t", Kind.REQUIRED, browser_only=True),
]
FAILED = ["Assertion", "Response 2 does not come from cache"]

VERDICTS: list[tuple[str, dict[str, Result], dict[str, Verdict]]] = [
    ("true passes", {"base": True, "leaf": True}, {"base": Verdict.PASSED, "leaf": Verdict.PASSED}),
    ("an assertion fails", {"base": FAILED}, {"base": Verdict.FAILED, "leaf": Verdict.UNTESTED}),
    ("a fetch error fails", {"base": ["FetchError", "socket hang up"]}, {"base": Verdict.FAILED}),
    ("a setup error is one", {"base": ["Setup", "status is 502"]}, {"base": Verdict.SETUP}),
    ("a retry is a setup error of its own", {"base": ["Setup", "retry"]}, {"base": Verdict.RETRY}),
    ("a failed dependency hides a pass", {"base": FAILED, "leaf": True}, {"leaf": Verdict.DEPENDENCY}),
    ("and a setup error", {"base": FAILED, "leaf": ["Setup", "x"]}, {"leaf": Verdict.DEPENDENCY}),
    ("nothing is untested", {}, {"base": Verdict.UNTESTED, "leaf": Verdict.UNTESTED}),
]


@pytest.mark.parametrize(("results", "expected"), [c[1:] for c in VERDICTS], ids=[c[0] for c in VERDICTS])
def test_a_verdict_is_found_in_the_order_of_the_suite(
    results: dict[str, Result], expected: dict[str, Verdict]
) -> None:
    verdicts = {s.test.id: s.verdict for s in score(TESTS, results)}
    assert {key: verdicts[key] for key in expected} == expected


def test_browser_tests_are_left_out_and_kinds_counted_apart() -> None:
    scored = score(TESTS, {"base": True, "leaf": FAILED, "info": True})
    assert [s.test.id for s in scored] == ["base", "leaf", "info"]
    assert [passed(scored, kind) for kind in Kind] == [(1, 1), (0, 1), (1, 1)]
    assert summary(scored).startswith("1 of 2 required + optimal passed")
    assert table(scored) == [
        ("s", {Kind.REQUIRED: (1, 1), Kind.OPTIMAL: (0, 1)}),
        ("t", {Kind.CHECK: (1, 1)}),
    ]


def test_a_lost_test_and_a_newly_passing_one_are_both_departures() -> None:
    scored = score(TESTS, {"base": True, "leaf": FAILED, "info": FAILED})
    assert [s.test.id for s in departures(scored, []).lost] == ["leaf"]
    assert departures(scored, ["leaf"]).lost == ()
    assert departures(scored, ["leaf"]).gained == ()
    assert departures(scored, ["leaf", "base", "gone"]).gained == ("base", "gone")
