"""Cache keys: which requests are for the same resource, and which for the same variant of it. PURE.

Owns: the one canonicaliser of targets (look-up, store, purge and the request to the next tier use it), the primary key,
and Vary. RFC 9111 sections 2 and 4.1.

Rules:

- A key is a digest of a length-prefixed tuple, never of joined strings: no two different requests can be written so
  that their parts run into each other (CVE-2026-2836).
- Bytes stay as they were sent. `%3B` is not `;`, `%2F` is not `/`, `a?` is not `a`, and the order of the query counts,
  unless the site's `KeyRules` says otherwise. RFC 3986 s6.2.2 calls some of these equivalent; origins disagree, and a
  cache that merges what an origin tells apart serves the wrong response, while one that does not merge only misses.
- What is not in the key is not visible to the origin: `canonical_target` is also what is sent upstream.
- Only `edge.semantics` names the pieces; the wire brings hosts through `canonical_host` and makes the port explicit.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address

from edge.errors import ClientFault
from edge.semantics.message import Authority, Fields, RequestHead
from edge.semantics.rules import KeyRules, QueryRule, VaryNormal, VaryRules
from edge.semantics.stored import Nominated
from edge.semantics.syntax import is_token

KEY_BYTES = 32
VARIANT_BYTES = 16
NO_VARIANT = b"\0" * VARIANT_BYTES
"""The variant digest of a response without Vary."""

MAX_NOMINATED = 32
"""Field names one Vary may nominate; a response with more counts as `*`. [Real ones name at most six.]"""

NO_KEY = KeyRules()

_CACHED_VALUE = 256  # bytes; longer values are normalised each time, so that the caches below stay small

_DOT_SEGMENT = re.compile(rb"/(?:\.|%2[Ee]){1,2}(?:/|\Z)")

# Fields whose value is no list: a comma in them is text and white space beside it may count (RFC 9110 s5.6.1).
_SINGULAR = frozenset((b"authorization", b"cookie", b"from", b"host", b"origin", b"referer", b"user-agent"))

_CODING_ALIASES = {b"x-gzip": b"gzip", b"x-compress": b"compress"}  # RFC 9110 s8.4.1
_WEIGHT = re.compile(rb"[ \t]*[qQ]=(?:0(?:\.([0-9]{0,3}))?|(1)(?:\.0{0,3})?)[ \t]*")
_LANGUAGE_RANGE = re.compile(rb"\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*")
_FULL_WEIGHT = 1000
_LIGHTER = b"%b;q=0.%03d"


class BadTarget(ClientFault):
    """The target has a dot segment."""


def canonical_host(name: bytes) -> bytes:
    """A host's one spelling: lower case, without the root's dot, an IPv6 literal in the form of RFC 5952.

    name: without port. Raises ValueError for a malformed literal.
    """
    name = name.lower()
    if name.startswith(b"["):
        return b"[%b]" % IPv6Address(name[1:-1].decode("ascii")).compressed.encode("ascii")
    return name.removesuffix(b".")


def canonical_target(target: bytes, rules: KeyRules) -> bytes:
    """The target as it stands in the key and as it goes upstream: the path untouched, the query cut to the site's rule.

    target: origin-form or `*`. Idempotent. Raises BadTarget (400) for a `.` or `..` segment in the path, also where a
    dot is written %2e. A client removes them before it sends (RFC 3986 s5.2.4), so who sends them is no browser; an
    origin that resolves them would answer for another path than the one that a site's rules, its purges by prefix and
    this key name. Removing them here (s6.2.2.3) would make us guess what the origin does with `/a/%2e%2e/b`; refusing
    cannot be wrong. `/..;/` and `..%2f` are ordinary segments by the RFC and pass as they are, in key and request.
    """
    path, mark, query = target.partition(b"?")
    if (b"/." in path or b"/%2" in path) and _DOT_SEGMENT.search(path):
        raise BadTarget("a dot segment in the target's path")
    if not mark or rules.query is QueryRule.ALL:
        return target
    kept = _kept_query(query, rules)
    return path if kept is None else b"%b?%b" % (path, kept)


def _kept_query(query: bytes, rules: KeyRules) -> bytes | None:
    """The query by the site's rule, None when the question mark goes too."""
    if rules.query is QueryRule.NONE:
        return None
    parameters = query.split(b"&")
    if rules.query is QueryRule.SORTED:
        parameters.sort(key=_parameter_name)
        return b"&".join(parameters)
    wanted = rules.query is QueryRule.ALLOW
    kept = [one for one in parameters if (_parameter_name(one) in rules.query_names) is wanted]
    return b"&".join(kept) if kept else None


def _parameter_name(parameter: bytes) -> bytes:
    return parameter.partition(b"=")[0]


def primary_key(authority: Authority, target: bytes, rules: KeyRules) -> bytes:
    """The 32-byte key of a URI: scheme, host, port, canonical target, and what the site's rule for keys is.

    The *values* of key headers and cookies are in the variant (`nominate`), as if every response named them in Vary: so a
    URI has one key, and to forget that key forgets whatever was stored for it. target: raw or canonical. Raises
    BadTarget as `canonical_target` does.
    """
    return canonical_key(authority, canonical_target(target, rules), rules)


def canonical_key(authority: Authority, target: bytes, rules: KeyRules) -> bytes:
    """The primary key of a target that is canonical already.

    For one that `canonical_target` refuses it is a key under which nothing is ever stored.
    """
    scheme, host = authority.scheme, authority.host
    named = b"%d:%b%d:%b%d:%d:%b" % (
        len(scheme),
        scheme,
        len(host),
        host,
        authority.port,
        len(target),
        target,
    )
    if rules.headers or rules.cookies:
        named += b"".join([b"%d:%b" % (len(name), name) for name, _ in _key_names(rules)])
    return blake2b(named, digest_size=KEY_BYTES).digest()


_KEY_HEADER, _KEY_COOKIE = b":h:", b":c:"
"""What a key header and a key cookie are called among nominated fields; no field name has a colon."""


@lru_cache(maxsize=1024)
def _key_names(rules: KeyRules) -> tuple[tuple[bytes, None], ...]:
    """The site's key headers and cookies by their names among nominated fields, sorted."""
    names = [_KEY_HEADER + name for name in rules.headers] + [_KEY_COOKIE + name for name in rules.cookies]
    return tuple((name, None) for name in sorted(names))


def field_of(name: bytes) -> bytes:
    """The request field that a name among nominated fields is about, a key header or key cookie too."""
    return b"cookie" if name.startswith(_KEY_COOKIE) else name.removeprefix(_KEY_HEADER)


def _key_value(name: bytes, fields: Fields) -> bytes | None:
    """The lines of a key header, or the values of a key cookie, so that no two lists of them look the same."""
    bare = name[len(_KEY_HEADER) :]
    values = fields.all(bare) if name.startswith(_KEY_HEADER) else cookie_values(fields, bare)
    return b"".join([b"%d:%b" % (len(value), value) for value in values]) if values else None


def cookie_pairs(fields: Fields) -> list[bytes]:
    """The `name=value` pairs of every Cookie line in order, white space around them cut off (RFC 6265 s4.2.1)."""
    return [
        pair for line in fields.all(b"cookie") for part in line.split(b";") if (pair := part.strip(b" \t"))
    ]


def cookie_values(fields: Fields, name: bytes) -> list[bytes]:
    """Every value of the cookie of that name, in the order sent."""
    return [value for key, _, value in (pair.partition(b"=") for pair in cookie_pairs(fields)) if key == name]


def keyed_cookies(fields: Fields, rules: KeyRules) -> bytes | None:
    """A Cookie value with only the cookies that are in the key, None when there is none."""
    kept = [pair for pair in cookie_pairs(fields) if pair.partition(b"=")[0] in rules.cookies]
    return b"; ".join(kept) if kept else None


def has_unkeyed_cookie(fields: Fields, rules: KeyRules) -> bool:
    """True when the request carries a cookie that is not in the key. A key header `cookie` puts all of them there."""
    if b"cookie" not in fields or b"cookie" in rules.headers:
        return False
    return any(pair.partition(b"=")[0] not in rules.cookies for pair in cookie_pairs(fields))


def nominate(
    vary_values: Collection[bytes], request: RequestHead, rules: VaryRules, key: KeyRules = NO_KEY
) -> Nominated | None:
    """The Vary of a response, and the site's key, resolved against its request. None: it can never match a later one.

    vary_values: the response's Vary lines. None for `*` anywhere in them, and - stricter than RFC 9111 s4.1, which does
    not say - for a member that is no field name and for more than MAX_NOMINATED names: what selected the response is
    then unknown. () when nothing is nominated.
    """
    if not vary_values and not key.headers and not key.cookies:
        return ()
    names: set[bytes] = set()
    for line in vary_values:
        for part in line.split(b","):
            name = part.strip(b" \t").lower()
            if not name:
                continue
            if name == b"*" or not is_token(name):
                return None
            names.add(name)
    if len(names) > MAX_NOMINATED:
        return None
    if key.headers or key.cookies:
        names.update(name for name, _ in _key_names(key))
    return tuple((name, _normal_value(name, request.fields, rules)) for name in sorted(names))


def matches(
    nominated: Nominated, request: RequestHead, rules: VaryRules, content_language: bytes | None = None
) -> bool:
    """True when every nominated field of `request` has the normal form it had in the request of the stored response.

    content_language: of the stored response, None when it has none. It lets a stored response match in one case where
    the Accept-Language differs: it is in exactly the one language that the request prefers to all others. The list of
    runners-up then cannot matter to what the client wants. Only where the site's VaryRules normalise the field as a
    language (the default); RFC 9111 s4.1 on fields with "a known mechanism for ranking preference".
    """
    for name, value in nominated:
        if _normal_value(name, request.fields, rules) != value and not (
            name == b"accept-language"
            and content_language is not None
            and rules.normalise.get(name) is VaryNormal.LANGUAGE
            and content_language.lower() == preferred_language(request.fields)
        ):
            return False
    return True


def variant_digest(nominated: Nominated) -> bytes:
    """16 bytes that name the variant among those of one primary key; NO_VARIANT for ()."""
    if not nominated:
        return NO_VARIANT
    parts = [
        b"%d:%b-" % (len(name), name)
        if value is None
        else b"%d:%b+%d:%b" % (len(name), name, len(value), value)
        for name, value in nominated
    ]
    return blake2b(b"".join(parts), digest_size=VARIANT_BYTES).digest()


def _normal_value(name: bytes, fields: Fields, rules: VaryRules) -> bytes | None:
    """What is compared for one nominated field: None when the request has no such field."""
    if name.startswith(b":"):
        return _key_value(name, fields)
    value = fields.combined(name)
    if value is None:
        return None
    normal = rules.normalise.get(name)
    if normal is VaryNormal.ENCODING:
        return encoding_form(value, rules.encodings)
    if normal is VaryNormal.LANGUAGE:
        return language_form(value)
    if normal is VaryNormal.RAW or name in _SINGULAR or b"," not in value or b'"' in value:
        return value
    # RFC 9111 s4.1: lines are combined, white space may come and go where a list has it. A value with a quoted string
    # is left alone: a comma inside one separates nothing.
    return b",".join([part.strip(b" \t") for part in value.split(b",")])


def accept_encoding(fields: Fields, rules: VaryRules) -> bytes | None:
    """The Accept-Encoding that stands for the request's own in key and forwarded request; None when there is none."""
    value = fields.combined(b"accept-encoding")
    if value is None or rules.normalise.get(b"accept-encoding") is not VaryNormal.ENCODING:
        return value
    return encoding_form(value, rules.encodings)


def encoding_form(value: bytes, known: tuple[bytes, ...]) -> bytes:
    """An Accept-Encoding value reduced to the set of known codings it accepts, sorted; itself a valid field value.

    Preferences among accepted codings are dropped: any of them is acceptable, and the origin has its own. `identity`
    stands for the empty set; `identity;q=0` is added where the client refuses the plain form. RFC 9110 s12.5.3.
    """
    if len(value) > _CACHED_VALUE:
        return _encoding_form(value, known)
    return _cached_encoding_form(value, known)


def _encoding_form(value: bytes, known: tuple[bytes, ...]) -> bytes:
    accepted: dict[bytes, bool] = {}
    for member in value.split(b","):
        coding, _, parameters = member.partition(b";")
        coding = coding.strip(b" \t").lower()
        if coding:
            coding = _CODING_ALIASES.get(coding, coding)
            # listed twice, or with a weight nobody can read: the safe reading is that it is not accepted
            accepted[coding] = accepted.get(coding, True) and bool(_weight(parameters))
    others = accepted.get(b"*")
    form = sorted(coding for coding in known if accepted.get(coding, others))
    if not accepted.get(b"identity", others is not False):
        form.append(b"identity;q=0")
    return b", ".join(form) if form else b"identity"


_cached_encoding_form = lru_cache(maxsize=1024)(_encoding_form)


def _weight(parameters: bytes) -> int | None:
    """A weight in thousandths from what follows the first semicolon; 1000 when nothing does, None when malformed."""
    if not parameters:
        return _FULL_WEIGHT
    found = _WEIGHT.fullmatch(parameters)
    if found is None:
        return None
    fraction, one = found.groups()
    return _FULL_WEIGHT if one else int((fraction or b"").ljust(3, b"0"))


def language_form(value: bytes) -> bytes:
    """An Accept-Language value in lower case, by weight and then by name; nothing is dropped (RFC 9110 s12.5.4).

    The order of ranges of equal weight has no meaning, nor has the letter case. The form is a valid field value, so
    that a value with a malformed member, which is only lower-cased, never equals one.
    """
    ranges = _languages(value) if len(value) > _CACHED_VALUE else _cached_languages(value)
    if ranges is None:
        return value.lower()
    return b",".join(
        [name if weight == _FULL_WEIGHT else _LIGHTER % (name, weight) for weight, name in ranges]
    )


def preferred_language(fields: Fields) -> bytes | None:
    """The one language, lower case, that Accept-Language puts above all others; None when there is no such one."""
    value = fields.combined(b"accept-language")
    if value is None:
        return None
    ranges = _languages(value) if len(value) > _CACHED_VALUE else _cached_languages(value)
    if not ranges or ranges[0][0] == 0 or ranges[0][1] == b"*":
        return None
    if len(ranges) > 1 and ranges[1][0] == ranges[0][0]:
        return None
    return ranges[0][1]


def _languages(value: bytes) -> tuple[tuple[int, bytes], ...] | None:
    """(weight in thousandths, range) heaviest first, equal ones by name; None when a member is malformed."""
    ranges: set[tuple[int, bytes]] = set()
    for member in value.lower().split(b","):
        name, _, parameters = member.partition(b";")
        name = name.strip(b" \t")
        if not name and not parameters:
            continue
        weight = _weight(parameters)
        if weight is None or _LANGUAGE_RANGE.fullmatch(name) is None:
            return None
        ranges.add((weight, name))
    return tuple(sorted(ranges, key=lambda pair: (-pair[0], pair[1])))


_cached_languages = lru_cache(maxsize=1024)(_languages)
