"""Targeted fields: CDN-Cache-Control, and Perigee-CDN-Cache-Control above it (RFC 9213, RFC 9651)."""

from tests.conformance.rows import Row, asked, headers, not_reused, reused

_OLD = "100"
"""Seconds of Age: past a lifetime of 1, well within one of 3600."""


def _targeted(value: str, cache_control: str | None = None, **fields: str) -> dict[str, str]:
    return headers(cache_control, CDN_Cache_Control=value, **fields)


REUSED: list[tuple[str, str, dict[str, str]]] = [
    ("max-age alone is enough", "9213 s2", _targeted("max-age=3600")),
    ("max-age of 2147483648 is taken", "9111 s1.2.2", _targeted("max-age=2147483648")),
    ("max-age of 99999999999 is taken", "9111 s1.2.2", _targeted("max-age=99999999999")),
    ("s-maxage counts for a CDN", "9213 s2.1", _targeted("s-maxage=3600, max-age=0")),
    ("an unknown directive is ignored", "9213 s2.1", _targeted("foobar, max-age=3600")),
    ("parameters of a directive are ignored", "9213 s2.1", _targeted("max-age=3600;x=1, foo=(1 2);y")),
    ("a past Expires does not count", "9213 s2.2", _targeted("max-age=3600", Expires="{now-10000}")),
    ("an invalid Expires does not count", "9213 s2.2", _targeted("max-age=3600", Expires="0")),
    ("a short Cache-Control does not count", "9213 s2.2", _targeted("max-age=3600", "max-age=1", Age=_OLD)),
    ("Cache-Control no-store does not count", "9213 s2.2", _targeted("max-age=3600", "no-store")),
    ("Cache-Control private does not count", "9213 s2.2", _targeted("max-age=3600", "private")),
    ("Pragma no-cache does not count", "9213 s2.2", _targeted("max-age=3600", Pragma="no-cache")),
    ("an empty field leaves it to Cache-Control", "9213 s2.2", _targeted("", "max-age=3600")),
    ("an invalid field leaves it to Cache-Control", "9213 s2.1", _targeted("no-store, &&&&&", "max-age=3600")),
    ("a value of the wrong type leaves it to Cache-Control", "9213 s2.1", _targeted('max-age="0"', "max-age=3600")),
    ("Perigee beats CDN no-store", "9213 s2.2", _targeted("no-store", Perigee_CDN_Cache_Control="max-age=3600")),
    ("an invalid Perigee field leaves it to CDN", "9213 s2.2",
     _targeted("max-age=3600", "no-store", Perigee_CDN_Cache_Control="max-age=1, &&&&&")),
]  # fmt: skip

NOT_REUSED: list[tuple[str, str, dict[str, str]]] = [
    ("Age beyond max-age is stale", "9111 s4.2", _targeted("max-age=3600", Age="7200")),
    ("max-age=0 is stale", "9111 s4.2", _targeted("max-age=0")),
    ("max-age=0 beats a future Expires", "9213 s2.2", _targeted("max-age=0", Expires="{now+10000}")),
    ("a short max-age beats a long Cache-Control", "9213 s2.2", _targeted("max-age=1", "max-age=3600", Age=_OLD)),
    ("private beats Cache-Control", "9213 s2.2", _targeted("private", "max-age=3600", Expires="{now+10000}")),
    ("no-cache beats Cache-Control", "9213 s2.2", _targeted("no-cache", "max-age=3600", Expires="{now+10000}")),
    ("no-store beats Cache-Control", "9213 s2.2", _targeted("no-store", "max-age=3600", Expires="{now+10000}")),
    ("an unknown type makes the field invalid", "9651 s4.2", _targeted("max-age=10000, &&&&&", "no-store")),
    ("a string is the wrong type", "9213 s2.1", _targeted('max-age="10000"', "no-store")),
    ("a decimal is the wrong type", "9213 s2.1", _targeted("max-age=3600.5", "no-store")),
    ("more than 15 digits are not an integer", "9651 s4.2.4", _targeted("max-age=1000000000000000", "no-store")),
    ("space before the equals sign is invalid", "9651 s4.2.2", _targeted("max-age =3600", "no-store")),
    ("space after the equals sign is invalid", "9651 s4.2.2", _targeted("max-age= 3600", "no-store")),
    ("a key has no capitals", "9651 s4.2.3.3", _targeted("MaX-aGe=3600", "no-store")),
    ("a trailing comma is invalid", "9651 s4.2.2", _targeted("max-age=3600,", "no-store")),
    ("a quoted comma does not split", "9651 s4.2.2", _targeted('foo="a, max-age=3600, b"')),
    ("Perigee no-store beats CDN", "9213 s2.2", _targeted("max-age=3600", Perigee_CDN_Cache_Control="no-store")),
    ("the last of two equal keys counts", "9651 s4.2.2", _targeted("max-age=3600, max-age=0")),
]  # fmt: skip

ROWS = [
    *(Row(f"targeted: {name}", section, [asked(fields), reused()]) for name, section, fields in REUSED),
    *(
        Row(f"targeted: {name}", section, [asked(fields), not_reused()])
        for name, section, fields in NOT_REUSED
    ),
]
