"""Which stored responses an unsafe request makes doubtful. PURE. RFC 9111 section 4.4, RFC 3986 section 5.

Owns: the URIs that a successful answer to an unsafe method invalidates. Rules: the target itself always; Location and
Content-Location only where their origin (scheme, host and port) is the request's, so that nobody empties another site's
cache. References are resolved on bytes and strictly: one with a byte that no URI has, with userinfo or with a scheme
that is not the request's invalidates nothing - that is a MAY, and a guess would drop what nobody changed.
"""

from __future__ import annotations

import re

from edge.semantics.key import BadTarget, canonical_target
from edge.semantics.message import Authority, RequestHead, ResponseHead
from edge.semantics.rules import KeyRules

SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"REPORT", b"SEARCH", b"QUERY"))
"""Methods registered as safe (RFC 9110 s9.2.1, RFC 4918, 3253, 5323); a method that is not here may change things."""

# RFC 3986 appendix B, for the bytes a URI has (unreserved, reserved, %); the fragment is cut off.
_REFERENCE = re.compile(
    rb"(?:([A-Za-z][A-Za-z0-9+.\-]*):)?(?://([A-Za-z0-9\-._~!$&'()*+,;=:@%\[\]]*))?"
    rb"([A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)(\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]|]*)?(?:#.*)?",
    re.DOTALL,
)
_AUTHORITY = re.compile(rb"([A-Za-z0-9\-._]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
_DEFAULT_PORTS = {b"http": 80, b"https": 443}
_PLAIN_KEY = KeyRules()


def invalidated_targets(request: RequestHead, response: ResponseHead) -> tuple[tuple[Authority, bytes], ...]:
    """(authority, target) of every URI whose stored responses may no longer be used, each once, the request's first.

    () for a safe method and for an answer that is neither 2xx nor 3xx. Targets are as `edge.semantics.key.uri_key` takes
    them; none has a dot segment.
    """
    if request.method in SAFE_METHODS or not 200 <= response.status < 400:
        return ()
    targets = [request.target]
    for name in (b"location", b"content-location"):
        for reference in response.fields.all(name)[:1]:
            target = same_origin_target(request, reference)
            if target is not None and target not in targets:
                targets.append(target)
    return tuple((request.authority, target) for target in targets)


def same_origin_target(request: RequestHead, reference: bytes) -> bytes | None:
    """The origin-form target that `reference` is, seen from the request's URI (RFC 3986 s5.2.2).

    None where it leads to another origin or is no URI reference.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return None
    scheme, authority, path, query = found.groups()
    if authority is None:
        if scheme is not None:
            return None  # `http:path` is a URI without an authority, not a relative reference
        path, query = _relative(request.target, path, query)
    elif not _is_same_origin(request.authority, scheme, authority):
        return None
    target = (_without_dot_segments(path) or b"/") + (query or b"")
    try:
        return canonical_target(target, _PLAIN_KEY)
    except BadTarget:  # an encoded dot segment: no request for it gets as far as the store
        return None


def _relative(base: bytes, path: bytes, query: bytes | None) -> tuple[bytes, bytes | None]:
    """Path and query of a reference without authority (RFC 3986 s5.2.2, s5.2.3)."""
    base_path, mark, base_query = base.partition(b"?")
    if not path:
        return base_path, (mark + base_query) if query is None else query
    if path.startswith(b"/"):
        return path, query
    return base_path[: base_path.rfind(b"/") + 1] + path, query


def _is_same_origin(ours: Authority, scheme: bytes | None, authority: bytes) -> bool:
    scheme = ours.scheme if scheme is None else scheme.lower()
    found = _AUTHORITY.fullmatch(authority)
    if found is None or scheme != ours.scheme:
        return False
    host, digits = found.groups()
    port = int(digits) if digits else _DEFAULT_PORTS.get(scheme)
    return host.lower().removesuffix(b".") == ours.host and port == ours.port


def _without_dot_segments(path: bytes) -> bytes:
    """remove_dot_segments of RFC 3986 s5.2.4, for a path that is empty or begins with a slash."""
    if b"/." not in path:
        return path
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in {b".", b".."}:
        kept.append(b"")
    return b"/" + b"/".join(kept)
