"""Age and the age of a response: received, reckoned, sent (RFC 9111 s4.2.3, s5.1)."""

from tests.conformance.rows import BODY, Row, Want, asked, headers, not_reused, reused

_SLACK = 20
"""Seconds an answer may take on a busy machine without the Age being wrong."""

ROWS = [
    Row("age: a response straight from the origin carries none", "9111 s5.1", [
        asked(headers("max-age=3600"), want=Want(body=BODY, absent=["Age"])),
        reused(want=Want(body=BODY, age=(0, _SLACK))),
    ]),
    Row("age: what was received is counted and sent on", "9111 s4.2.3", [
        asked(headers("max-age=3600", Age="100"), want=Want(age=(100, 100 + _SLACK))),
        reused(want=Want(age=(100, 100 + _SLACK))),
    ]),
    Row("age: an old Date counts where there is no Age", "9111 s4.2.3", [
        asked(headers("max-age=3600", Date="{now-100}")),
        reused(want=Want(age=(99, 101 + _SLACK))),
    ]),
    Row("age: the larger of Age and apparent age counts", "9111 s4.2.3", [
        asked(headers("max-age=3600", Date="{now-100}", Age="500")),
        reused(want=Want(age=(500, 501 + _SLACK))),
    ]),
    Row("age: a Date in the future is no negative age", "9111 s4.2.3", [
        asked(headers("max-age=3600", Date="{now+1000}")),
        reused(want=Want(age=(0, _SLACK))),
    ]),
    Row("age: a hit keeps the Date of the origin", "9110 s6.6.1", [
        asked(headers("max-age=3600", Date="{now-50}", X_Date="{now-50}")),
        reused(want=Want(body=BODY, same=[("Date", "X-Date")])),
    ]),
    Row("age: beyond max-age it is stale", "9111 s4.2", [
        asked(headers("max-age=3600", Age="3601")), not_reused(),
    ]),
    Row("age: of a list the first member counts, fresh", "9111 s5.1", [
        asked(headers("max-age=3600", Age="0, 7200")), reused(),
    ]),
    Row("age: of a list the first member counts, stale", "9111 s5.1", [
        asked(headers("max-age=3600", Age="7200, 0")), not_reused(),
    ]),
    *(Row(f"age: what is no number is ignored: {value}", "9111 s5.1", [
        asked(headers("max-age=3600", Age=value)), reused(want=Want(body=BODY, age=(0, _SLACK))),
    ]) for value in ("abc", "-7200", "7200.5", "7200;a=b", "")),
    Row("age: 2147483648 is very old", "9111 s1.2.2", [
        asked(headers("max-age=3600", Age="2147483648")), not_reused(),
    ]),
    Row("age: 60 digits are very old", "9111 s1.2.2", [
        asked(headers("max-age=3600", Age="9" * 60)), not_reused(),
    ]),
    Row("age: nothing lives longer than the site's cap", "9111 s4.2", [
        asked(headers("max-age=99999999", Age="90000", ETag='"a"')), not_reused(),
    ]),
    Row("age: Expires counts from Date, not from now", "9111 s4.2.1", [
        asked(headers(Expires="{now-50}", Date="{now-100}")), not_reused(),
    ]),
]  # fmt: skip
