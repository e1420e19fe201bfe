"""Invalidation by unsafe methods (RFC 9111 s4.4)."""

from tests.conformance.rows import BODY, Row, Turn, Want, asked, headers, not_reused, reused
from tests.kit.origin import Canned

_STORED = headers("max-age=3600")
_UNSAFE = ("POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO")


def _unsafe(method: str, status: int = 200, **fields: str) -> Turn:
    """An unsafe request to the row's path, with the fields of its answer."""
    return Turn(Want(status=status), {}, Canned(status, headers(**fields), b"done"), method, body=b"x")


ROWS = [
    *(Row(f"invalidation: {method} drops what is stored for its target", "9111 s4.4", [
        asked(_STORED), reused(), _unsafe(method), not_reused(),
    ]) for method in _UNSAFE),
    *(Row(f"invalidation: {method} that fails drops nothing", "9111 s4.4", [
        asked(_STORED), _unsafe(method, 500), reused(),
    ]) for method in _UNSAFE),
    *(Row(f"invalidation: a redirect as answer to POST drops too, {status}", "9111 s4.4", [
        asked(_STORED), _unsafe("POST", status, Location="{path}/elsewhere"), not_reused(),
    ]) for status in (201, 303)),
    *(Row(f"invalidation: a 4xx drops nothing, {status}", "9111 s4.4", [
        asked(_STORED), _unsafe("POST", status), reused(),
    ]) for status in (400, 404, 409)),
    *(Row(f"invalidation: GET-like {method} drops nothing", "9110 s9.2.1", [
        asked(_STORED), Turn(Want(status=(200, 405, 501), asks=None), method=method), reused(),
    ]) for method in ("HEAD", "OPTIONS")),
    *(Row(f"invalidation: {field.replace('_', '-')} of the same origin is dropped, {form}", "9111 s4.4", [
        asked(_STORED, suffix="/other"), reused(suffix="/other"),
        _unsafe("POST", 201, **{field: value}), not_reused(suffix="/other"),
    ]) for field in ("Location", "Content_Location") for form, value in (
        ("path", "{path}/other"), ("URL", "{base}{path}/other"), ("relative", ".{path}/other"),
    )),
    *(Row(f"invalidation: {field.replace('_', '-')} of another origin is left alone", "9111 s4.4", [
        asked(_STORED, suffix="/other"),
        _unsafe("POST", 201, **{field: "http://elsewhere.example{path}/other"}), reused(suffix="/other"),
    ]) for field in ("Location", "Content_Location")),
    Row("invalidation: a failed POST drops no Location", "9111 s4.4", [
        asked(_STORED, suffix="/other"), _unsafe("POST", 500, Location="{path}/other"), reused(suffix="/other"),
    ]),
    Row("invalidation: all variants of the target are dropped", "9111 s4.4", [
        asked(headers("max-age=3600", Vary="X-Kind"), request={"X-Kind": "1"}),
        asked(headers("max-age=3600", Vary="X-Kind"), request={"X-Kind": "2"}),
        _unsafe("POST"),
        not_reused(request={"X-Kind": "1"}), not_reused(request={"X-Kind": "2"}),
    ]),
    Row("invalidation: the query is part of the target", "9111 s4.4", [
        asked(_STORED, suffix="?a=1"), asked(_STORED), _unsafe("POST"),
        reused(suffix="?a=1"), not_reused(),
    ]),
    Row("invalidation: what comes after it is stored again", "9111 s4.4", [
        asked(_STORED), _unsafe("PUT"), asked(_STORED, body=b"new"), reused(body=b"new"),
    ]),
    Row("invalidation: an unsafe request is sent once and passed on", "9110 s9.2.2", [
        Turn(Want(status=201, body=BODY), {}, Canned(201, {}, BODY), "POST", body=b"x"),
    ]),
]  # fmt: skip
