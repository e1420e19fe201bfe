"""Fields on their way: what a request may carry inwards, what a response may carry outwards. PURE.

Owns: the fields that no client may set, what we say of ourselves and of the client (Via, CDN-Loop, Forwarded,
X-Forwarded-*), the site's edits. RFC 9110 section 7.6, RFC 8586, RFC 7239, RFC 9213 section 3. Hop-by-hop fields, Host and
framing were taken out by edge.wire.

Rules:

- What is not in the key is not visible to the origin. The fields in UNTRUSTED change what many origins answer and stand
  in no key, so they are removed as soon as a request is parsed; one that the site puts into its key passes.
- Accept-Encoding goes upstream in the form in which it is compared (edge.semantics.key): were it sent as it came, an
  origin could answer with a coding that the next client of the same key does not take. Accept-Language goes as it came,
  since its normal form loses nothing. Both only where the site's VaryRules normalise the field.
- CDN-Cache-Control goes on to clients: RFC 9213 s3.1 has a CDN forward it, for a CDN in front of us. Our own
  Perigee-CDN-Cache-Control is for nobody in front of us; nor are Surrogate-Control and tags.
- X-Forwarded-For holds what we verified, from the client on. Entries left of it are the client's own words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from edge.semantics.answer import SPECIAL
from edge.semantics.directives import SURROGATE_CAPABILITY
from edge.semantics.key import BadTarget, accept_encoding, canonical_target, keyed_cookies
from edge.semantics.message import Authority, Fields, Line, RequestHead, ResponseHead
from edge.semantics.rules import COUNTRY, CookieRule, HeaderEdit, KeyRules, SetCookieRule, SiteRules
from edge.semantics.syntax import format_http_date, list_of_lines
from edge.semantics.tls_rules import CLIENT_CERT

UNTRUSTED = frozenset(
    (
        # another host, path or method than the request line says; measured on frameworks and gateways that obey them
        *(b"forwarded", b"x-forwarded", b"x-host", b"x-original-host", b"x-http-host-override", b"proxy"),
        *(b"x-original-url", b"x-original-uri", b"x-rewrite-url", b"x-http-destinationurl", b"x-url-scheme"),
        *(b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-scheme", b"front-end-https"),
        *(b"x-middleware-subrequest", b"x-amz-website-redirect-location"),
        # another client address than the connection's
        *(
            b"x-real-ip",
            b"x-client-ip",
            b"client-ip",
            b"true-client-ip",
            b"x-cluster-client-ip",
            b"x-remote-ip",
        ),
        *(b"x-remote-addr", b"x-originating-ip", b"x-proxyuser-ip", b"cf-connecting-ip", b"fastly-client-ip"),
        # said by us to those behind us
        *(b"surrogate-capability", COUNTRY, CLIENT_CERT, b"client-cert-chain"),
    )
)
"""Request fields that are removed unless the site keys on them, lower case; those with an UNTRUSTED_PREFIXES too."""

ORDINARY = frozenset(
    (
        *(b"accept", b"accept-encoding", b"accept-language", b"cookie", b"dnt", b"origin", b"priority"),
        *(b"purpose", b"referer", b"save-data", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform"),
        *(b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user", b"sec-gpc"),
        *(b"sec-purpose", b"upgrade-insecure-requests", b"user-agent"),
    )
)
"""What browsers send with every request, lower case: one look tells that there is nothing untrusted among it."""

UNTRUSTED_PREFIXES = (b"x-forwarded-", INTERNAL_PREFIX := b"perigee-")

ALIASED = frozenset(
    (
        *(b"accept-charset", b"accept-encoding", b"accept-language", b"cache-control", b"cdn-loop"),
        *(b"content-encoding", b"content-length", b"content-type", b"if-match", b"if-modified-since"),
        *(b"if-none-match", b"if-range", b"if-unmodified-since", b"max-forwards", b"proxy-authorization"),
        *(b"proxy-connection", b"transfer-encoding", b"user-agent"),
    )
)
"""Request fields that pass as they are spelled here but not with an underscore: we, or a Vary, count on what they say."""

NOT_FOR_CLIENTS = frozenset(
    (
        b"surrogate-control",
        b"surrogate-key",
        b"cache-tag",
        b"xkey",
        b"edge-cache-tag",
        b"perigee-cdn-cache-control",
    )
)
"""Response fields for our tiers only, lower case; those with INTERNAL_PREFIX too."""

NOT_EDITABLE = frozenset(
    (
        *(b"connection", b"content-length", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding"),
        *(b"upgrade", b"cdn-loop"),
    )
)
"""Fields that no site edit touches: framing is the writer's, CDN-Loop nobody may take away (RFC 8586 s2)."""

_OURS_TO_CLIENTS = NOT_EDITABLE | {b"age"}
"""Towards clients Age is the cache's own (RFC 9111 s5.1). An origin's may be edited: it may be known to be wrong."""

MAX_HOPS = 16
"""Proxies in a row whose X-Forwarded-For we follow; and CDNs in CDN-Loop before we call it a loop."""

Network = IPv4Network | IPv6Network

_NO_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z:]")
_WITH_PORT = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


# --- requests --------------------------------------------------------------------------------------------------------


def cleaned_request(request: RequestHead, rules: SiteRules) -> RequestHead:
    """The request as everything behind the parser sees it; the same object when there is nothing to clean.

    Untrusted fields are gone, the target is canonical, and cookies outside the key are gone where the site strips them. A
    target that `canonical_target` refuses is left as it is: making the key refuses it.
    """
    fields = without_untrusted(request.fields, rules.key)
    if rules.store.cookie is CookieRule.STRIP and b"cookie" in fields and b"cookie" not in rules.key.headers:
        kept = keyed_cookies(fields, rules.key)
        fields = fields.without((b"cookie",)) if kept is None else fields.with_set(b"Cookie", kept)
    try:
        target = canonical_target(request.target, rules.key)
    except BadTarget:
        target = request.target
    if fields is request.fields and target == request.target:
        return request
    return RequestHead(request.method, request.authority, target, fields, request.minor)


def without_untrusted(fields: Fields, key: KeyRules) -> Fields:
    """The fields without those no client may set; the same object when there is none."""
    names = fields.names()
    if names <= ORDINARY or (
        UNTRUSTED.isdisjoint(names)
        and not _has_prefix(fields, UNTRUSTED_PREFIXES)
        and b"_" not in b"".join(names)
    ):
        return fields
    return fields.without([name for name in names if _is_untrusted(name, key)])


def _is_untrusted(name: bytes, key: KeyRules) -> bool:
    """Gateways in the manner of CGI (RFC 3875 s4.1.18) read a_b as a-b, so that what steers an origin may be spelled so."""
    bare = name.replace(b"_", b"-")
    if bare.startswith(INTERNAL_PREFIX):
        return True
    steers = bare in UNTRUSTED or bare.startswith(UNTRUSTED_PREFIXES)
    return (steers or (bare is not name and bare in ALIASED)) and name not in key.headers


def _has_prefix(fields: Fields, prefixes: Sequence[bytes]) -> bool:
    # one join and a search each: a third of the time of a loop over the names, on every request
    joined = b"\n" + b"\n".join(fields.names())
    return any(b"\n" + prefix in joined for prefix in prefixes)


def request_to_upstream(
    request: RequestHead,
    rules: SiteRules,
    *,
    hops: Sequence[str],
    via: bytes,
    cdn_id: bytes,
    conditional: tuple[Line, ...] = (),
    keep_client_conditionals: bool = False,
    tier: bool = False,
) -> Fields:
    """The fields of the request to the next tier. request: cleaned.

    hops: addresses as `verified_hops` gives them, the client's first. via, cdn_id: this node's name, our CDN's. conditional:
    our own validators. keep_client_conditionals: the client's conditionals and Range go along, where the answer will not
    be stored. tier: the next tier is ours; the site's edits are then left to it.
    """
    fields = request.fields if keep_client_conditionals else request.fields.without(SPECIAL)
    if request.method in {b"GET", b"HEAD"}:
        coding = accept_encoding(fields, rules.vary)
        if coding is not None and (coding,) != fields.all(b"accept-encoding"):
            fields = fields.with_set(b"Accept-Encoding", coding)
    elif request.method in {b"OPTIONS", b"TRACE"}:
        fields = one_hop_further(fields)
    told = _told(request.authority, tuple(hops))
    if rules.key.headers:
        told = tuple(line for line in told if line[0].lower() not in rules.key.headers)
    fields = fields.without(_TOLD_NAMES - set(rules.key.headers)).with_added(*told)
    if not tier:
        fields = edited(fields, rules.headers.to_origin)
    return fields.with_added(*conditional, via_line(via, request.minor), (b"CDN-Loop", pseudonym(cdn_id)))


@lru_cache(maxsize=1024)
def _told(authority: Authority, hops: tuple[str, ...]) -> tuple[Line, ...]:
    """What we say of the client and of ourselves: the same for all that one client asks of one host."""
    scheme, host = authority.scheme, authority.render()
    return (
        (b"X-Forwarded-For", ", ".join(map(_shown, hops)).encode()),
        (b"X-Forwarded-Proto", scheme),
        (b"X-Forwarded-Host", host),
        (b"Forwarded", forwarded(hops, scheme, host)),
        (b"Surrogate-Capability", SURROGATE_CAPABILITY),
    )


_TOLD_NAMES = frozenset(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"surrogate-capability")
)


def forwarded(hops: Sequence[str], scheme: bytes, host: bytes) -> bytes:
    """A Forwarded value: an element a hop, the last with proto and host (RFC 7239 s4, s6)."""
    elements = b", ".join(b"for=" + _quoted(_in_brackets(_shown(hop))) for hop in hops)
    return b"%b;proto=%b;host=%b" % (elements, scheme, _quoted(host.decode("latin-1")))


def _shown(hop: str) -> str:
    address = _address(hop.encode())
    return "unknown" if address is None else str(address)


def _in_brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _quoted(text: str) -> bytes:
    return (text if _TOKEN.fullmatch(text) else f'"{text}"').encode("latin-1")


def one_hop_further(fields: Fields) -> Fields:
    """Max-Forwards less one (RFC 9110 s7.6.2), for OPTIONS and TRACE; see `ends_here`."""
    digits = fields.get(b"max-forwards")
    if digits is None or not digits.isdigit() or len(digits) > 9 or int(digits) == 0:
        return fields
    return fields.with_set(b"Max-Forwards", b"%d" % (int(digits) - 1))


def ends_here(request: RequestHead) -> bool:
    """True for OPTIONS and TRACE with Max-Forwards: 0, which must be answered and not forwarded (RFC 9110 s7.6.2)."""
    if request.method not in {b"OPTIONS", b"TRACE"}:
        return False
    digits = request.fields.get(b"max-forwards")
    return digits is not None and digits.strip(b"0") == b"" and digits != b""


def loops(fields: Fields, cdn_id: bytes) -> bool:
    """True when our CDN handled the request before, or more than MAX_HOPS CDNs did (RFC 8586 s2)."""
    lines = fields.all(b"cdn-loop")
    if not lines:
        return False
    members = list_of_lines(lines)
    ours = pseudonym(cdn_id).lower()
    return len(members) > MAX_HOPS or any(
        member.partition(b";")[0].strip(b" \t").lower() == ours for member in members
    )


# --- who is asking ---------------------------------------------------------------------------------------------------


def client_address(peer: str, fields: Fields, trusted: Sequence[Network]) -> str:
    """The address of the client: of the first party, from ours on, that is no proxy we trust."""
    return verified_hops(peer, fields, trusted)[0]


def verified_hops(peer: str, fields: Fields, trusted: Sequence[Network]) -> tuple[str, ...]:
    """Addresses on the way here as far as they are vouched for: client first, the connection's other end last.

    fields: as received. Read from the right: an entry counts when who added it is trusted. The first untrusted one is the
    client; behind an entry that is no address nothing is believed. Only X-Forwarded-For is read, so a trusted proxy must
    set it; one that does not would pass on the client's own.
    """
    if not trusted or not is_trusted(peer, trusted):
        return (peer,)
    hops = [peer]
    for member in reversed(list_of_lines(fields.all(b"x-forwarded-for"))):
        address = _address(member)
        if address is None:
            break
        hops.append(str(address))
        if len(hops) == MAX_HOPS or not _is_in(address, trusted):
            break
    return tuple(reversed(hops))


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """True when the address is in one of the networks."""
    address = _address(peer.encode())
    return address is not None and _is_in(address, trusted)


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: bytes) -> IPv4Address | IPv6Address | None:
    """An address with or without port or brackets, its zone cut off; an IPv4 address in IPv6 clothes is one of IPv4."""
    found = _WITH_PORT.fullmatch(text)
    bare = text.partition(b"%")[0] if found is None else found.group(1) or found.group(2)
    try:
        address = ip_address(bare.decode("latin-1"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def authority_seen_by_client(authority: Authority, fields: Fields) -> Authority:
    """The authority with the scheme of X-Forwarded-Proto, for a request from a *trusted* proxy that ends TLS.

    It has to be part of the key: an origin that redirects http to https would else be stored as a redirect to itself.
    """
    members = list_of_lines(fields.all(b"x-forwarded-proto"))
    scheme = members[-1].lower() if members else authority.scheme
    if scheme == authority.scheme or scheme not in {b"http", b"https"}:
        return authority
    port = (443 if scheme == b"https" else 80) if authority.is_default_port else authority.port
    return Authority(scheme, authority.host, port)


# --- responses -------------------------------------------------------------------------------------------------------


def response_from_origin(
    head: ResponseHead, rules: SiteRules, now: float, *, tier: bool = False
) -> ResponseHead:
    """A response as everything in front of the upstream client sees it, before the storing decision.

    The site's edits, its Set-Cookie rule, and a Date where there is none (RFC 9110 s6.6.1). now: unix seconds at which the
    head came. tier: it comes from a tier of ours, which made the edits already.
    """
    fields = head.fields if tier else edited(head.fields, rules.headers.from_origin)
    if rules.store.set_cookie is SetCookieRule.STRIP:
        fields = fields.without((b"set-cookie",))
    if b"date" not in fields:
        fields = fields.with_added((b"Date", format_http_date(now)))
    if fields is head.fields:
        return head
    return ResponseHead(head.status, head.reason, fields, head.minor)


def response_to_client(
    fields: Fields, rules: SiteRules, *, via: Line | None = None, tier: bool = False
) -> Fields:
    """The fields of a response on its way out: ours removed, Via, the site's edits.

    via: see `via_line`, None = none. tier: the client is a node of ours; it gets all there is, and makes the edits.
    """
    if not tier:
        if has_ours(fields):
            fields = fields.without(
                [n for n in fields.names() if n in NOT_FOR_CLIENTS or n.startswith(INTERNAL_PREFIX)]
            )
        fields = edited(fields, rules.headers.to_client, _OURS_TO_CLIENTS)
    return fields if via is None else fields.with_added(via)


def has_ours(fields: Fields) -> bool:
    """True when a response has fields that are for our tiers only."""
    return not NOT_FOR_CLIENTS.isdisjoint(fields.names()) or _has_prefix(fields, (INTERNAL_PREFIX,))


# --- both ------------------------------------------------------------------------------------------------------------


def edited(fields: Fields, edit: HeaderEdit, untouched: frozenset[bytes] = NOT_EDITABLE) -> Fields:
    """The fields after the site's edit: remove, set, add; `untouched` ones stay as they are."""
    if edit.remove:
        fields = fields.without(edit.remove - untouched)
    for name, value in edit.set:
        if name.lower() not in untouched:
            fields = fields.with_set(name, value)
    if edit.add:
        fields = fields.with_added(*(line for line in edit.add if line[0].lower() not in untouched))
    return fields


@lru_cache(maxsize=256)
def via_line(name: bytes, minor: int = 1) -> Line:
    """Our Via line. minor: HTTP/1.minor of the message as it was received (RFC 9110 s7.6.3)."""
    return (b"Via", b"1.%d %b" % (minor, pseudonym(name)))


@lru_cache(maxsize=256)
def pseudonym(name: bytes) -> bytes:
    """The name as Via and CDN-Loop can carry it: a token, or a host with port (RFC 9110 s7.6.3, RFC 8586 s2)."""
    return _NO_NAME.sub(b"-", name) or b"perigee"
