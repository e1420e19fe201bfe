"""PURE: verdicts over the results of http-cache-tests, in the suite's own order, and the ratchet over them.

The suite's results are `true` or `[kind of error, message]` per test id. A verdict is found in this order: no result;
a dependency that does not pass hides the test, whatever its own outcome; a setup error (its message "retry" means that
the origin saw a request twice); true; anything else fails. "required" is also the kind of a test that names none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache


class Verdict(Enum):
    """What the suite would show for a test."""

    PASSED = "pass"
    FAILED = "fail"
    SETUP = "setup"
    RETRY = "retry"
    DEPENDENCY = "dep"
    UNTESTED = "untested"


class Kind(Enum):
    """How much a test says: a duty, a chance to reuse that was taken, or mere information."""

    REQUIRED = "required"
    OPTIMAL = "optimal"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the suite, as far as scoring needs it."""

    __test__ = False  # not a pytest class

    id: str
    suite: str
    kind: Kind
    depends_on: tuple[str, ...] = ()
    browser_only: bool = False


Result = bool | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Scored:
    """A test with its verdict and the suite's message ("" when it passed)."""

    test: Test
    verdict: Verdict
    message: str

    @property
    def passed(self) -> bool:
        """Whether it counts."""
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True, slots=True)
class Departures:
    """How a run differs from what was recorded; both empty when it does not."""

    lost: tuple[Scored, ...]
    """Tests that should pass and do not."""
    gained: tuple[str, ...]
    """Ids recorded as not passing that now pass (or no longer exist): the record must be corrected."""


def score(tests: Sequence[Test], results: Mapping[str, Result]) -> list[Scored]:
    """The verdict of every test that runs outside a browser, in the suite's order."""
    by_id = {test.id: test for test in tests}

    @cache
    def verdict(test_id: str) -> Verdict:
        result = results.get(test_id)
        if result is None:
            return Verdict.UNTESTED
        if any(verdict(needed) is not Verdict.PASSED for needed in by_id[test_id].depends_on):
            return Verdict.DEPENDENCY
        if not isinstance(result, bool) and result[0] == "Setup":
            return Verdict.RETRY if result[1] == "retry" else Verdict.SETUP
        return Verdict.PASSED if result is True else Verdict.FAILED

    return [
        Scored(test, verdict(test.id), _message(results.get(test.id)))
        for test in tests
        if not test.browser_only
    ]


def _message(result: Result) -> str:
    if result is None:
        return "no result"
    if isinstance(result, bool):
        return ""
    return ": ".join(str(part) for part in result)


def passed(scored: Iterable[Scored], kind: Kind) -> tuple[int, int]:
    """(passed, all) of that kind."""
    verdicts = [s.passed for s in scored if s.test.kind is kind]
    return sum(verdicts), len(verdicts)


def departures(scored: Iterable[Scored], recorded: Iterable[str]) -> Departures:
    """Compare with the recorded ids that do not pass; checks are information and are not held to anything."""
    counted = [s for s in scored if s.test.kind is not Kind.CHECK]
    known = set(recorded)
    failing = {s.test.id for s in counted if not s.passed}
    return Departures(
        lost=tuple(s for s in counted if not s.passed and s.test.id not in known),
        gained=tuple(sorted(known - failing)),
    )


def summary(scored: Sequence[Scored]) -> str:
    """The one line of a run."""
    required, optimal, check = (passed(scored, kind) for kind in Kind)
    total = required[0] + optimal[0]
    return (
        f"{total} of {required[1] + optimal[1]} required + optimal passed "
        f"(required {required[0]}/{required[1]}, optimal {optimal[0]}/{optimal[1]}); checks {check[0]}/{check[1]} yes"
    )


def table(scored: Sequence[Scored]) -> list[tuple[str, dict[Kind, tuple[int, int]]]]:
    """Per suite, in the suite's order: (passed, all) of each kind that occurs."""
    suites = dict.fromkeys(s.test.suite for s in scored)
    rows = []
    for suite in suites:
        own = [s for s in scored if s.test.suite == suite]
        rows.append((suite, {kind: passed(own, kind) for kind in Kind if passed(own, kind)[1]}))
    return rows
