"""Where a miss goes, what the request looks like there, and that only our own tiers are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ClientFault
from edge.exchange import Exchange
from edge.fill.upstream import UpstreamRequest
from edge.semantics.forwarding import Network, cleaned_request
from edge.semantics.message import Authority, Fields, Line
from edge.semantics.rules import OriginRules, SiteRules
from edge.tiers import AUTHORITY, HOPS, Tiers, Ways
from edge.wire.framing import NO_BODY, Length
from tests.kit.clock import ManualClock
from tests.kit.node_bench import exchange
from tests.kit.request_heads import read
from tests.kit.scripted_upstream import ScriptedUpstream
from tests.kit.stored_responses import holding

KEY = b"k" * 32
RULES = SiteRules()
TRUSTED = (ip_network("198.51.100.0/24"),)
ORIGIN, ONE, TWO = (ScriptedUpstream(ManualClock()) for _ in range(3))
PARTS = (
    *((b"If-None-Match", b'"c"'), (b"If-Modified-Since", b"Mon, 23 Nov 2026 00:00:00 GMT")),
    *((b"If-Range", b'"c"'), (b"Range", b"bytes=0-1")),
)
AS_WORKER = (AUTHORITY, b"http a.example 80")


def tiers(
    *,
    index: int = 0,
    owner: int = 0,
    workers: Sequence[ScriptedUpstream] = (ONE, TWO),
    trusted: Sequence[Network] = (),
) -> Tiers:
    return Tiers(
        name=b"edge-1",
        cdn_id=b"edge-1",
        trusted=trusted,
        index=index,
        owner_of=lambda _: owner,
        workers=workers,
        origin_of=lambda _: ORIGIN,
    )


def built(
    made: Tiers, asked: Exchange, rules: SiteRules = RULES, *, validators: tuple[Line, ...] = ()
) -> list[UpstreamRequest]:
    """The request for each route of a fill."""
    head = cleaned_request(made.restored(asked), rules)
    validating = (holding(*validators),) if validators else ()
    return [route.build(validating) for route in made.routes(asked, head, rules, KEY)]


def get(*lines: Line, peer: str = "192.0.2.1", tier: bool = False, host: bytes = b"a.example") -> Exchange:
    return exchange(b"GET", b"/a?b", *lines, peer=peer, tier=tier, host=host)


# --- where to ---


@pytest.mark.parametrize(
    ("made", "tier", "ways"),
    [
        pytest.param(tiers(workers=()), False, [(ORIGIN, False)], id="alone"),
        pytest.param(tiers(index=0, owner=0), False, [(ORIGIN, False)], id="the owner"),
        pytest.param(tiers(index=0, owner=1), False, [(TWO, True), (ORIGIN, False)], id="another worker"),
        pytest.param(
            tiers(index=0, owner=1), True, [(ORIGIN, False)], id="for a worker that takes us for the owner"
        ),
    ],
)
@pytest.mark.parametrize("passed_on", [False, True], ids=["fill", "passed on"])
def test_ways_of_a_request(
    made: Tiers, tier: bool, ways: list[tuple[ScriptedUpstream, bool]], passed_on: bool
):
    asked = get(AS_WORKER, tier=True) if tier else get()
    head = made.restored(asked)
    routes = (
        made.straight(asked, head, RULES, KEY, by_owner=True)
        if passed_on
        else made.routes(asked, head, RULES, KEY)
    )
    assert [(route.upstream, route.is_worker) for route in routes] == ways
    assert made.is_anothers(asked, KEY) is (len(ways) > 1)


def test_what_is_not_for_the_owner_goes_straight():
    made, asked = tiers(index=0, owner=1), get()
    routes = made.straight(asked, made.restored(asked), RULES, KEY)
    assert [route.upstream for route in routes] == [ORIGIN]


def test_one_owns_what_is_its_own():
    assert tiers(index=1, owner=1).owns(KEY)
    assert not tiers(index=0, owner=1).owns(KEY)


# --- to the origin ---


def test_the_request_to_the_origin_line_for_line():
    (request,) = built(tiers(), get((b"Accept", b"*/*"), *PARTS), validators=((b"ETag", b'"v"'),))
    assert (request.method, request.target, request.host) == (b"GET", b"/a?b", b"a.example")
    assert (request.framing, request.upgrade) == (NO_BODY, None)
    assert request.fields.lines == (
        (b"Accept", b"*/*"),
        (b"X-Forwarded-For", b"192.0.2.1"),
        (b"X-Forwarded-Proto", b"http"),
        (b"X-Forwarded-Host", b"a.example"),
        (b"Forwarded", b"for=192.0.2.1;proto=http;host=a.example"),
        (b"Surrogate-Capability", request.fields.get(b"surrogate-capability")),
        (b"If-None-Match", b'"v"'),
        (b"Via", b"1.1 edge-1"),
        (b"CDN-Loop", b"edge-1"),
    )


def test_a_site_may_say_which_host_its_origin_knows():
    rules = SiteRules(origin=OriginRules(host_header=b"inner.example"))
    (request,) = built(tiers(), get(), rules)
    assert request.host == b"inner.example"
    assert request.fields.get(b"x-forwarded-host") == b"a.example"


def test_a_port_that_is_not_the_schemes_stays():
    (request,) = built(tiers(), get(host=b"a.example:8080"))
    assert request.host == b"a.example:8080"


def test_what_is_passed_on_keeps_what_the_client_asked_for():
    asked = exchange(b"PUT", b"/a", (b"Content-Length", b"3"), (b"If-Match", b'"c"'))
    made = tiers()
    (route,) = made.straight(asked, made.restored(asked), RULES, KEY)
    request = route.build(())
    assert request.framing == Length(3)
    assert request.fields.get(b"if-match") == b'"c"'


def test_a_fill_asks_for_no_upgrade_and_what_is_passed_on_does():
    asked = get((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    made = tiers()
    assert [request.upgrade for request in built(made, asked)] == [None]
    (route,) = made.straight(asked, made.restored(asked), RULES, KEY)
    assert route.build(()).upgrade == b"websocket"


# --- to a worker ---


def test_the_request_to_a_worker_line_for_line():
    to_worker, to_origin = built(
        tiers(owner=1), get((b"Accept", b"*/*"), *PARTS), validators=((b"ETag", b'"v"'),)
    )
    assert to_worker.fields.lines == (
        (b"Accept", b"*/*"),
        (b"If-None-Match", b'"v"'),
        (b"Perigee-Authority", b"http a.example 80"),
        (b"Perigee-Hops", b"192.0.2.1"),
    )
    assert to_origin == built(tiers(), get((b"Accept", b"*/*"), *PARTS), validators=((b"ETag", b'"v"'),))[0]


def test_only_a_tier_can_say_that_no_client_waits():
    said = (b"Perigee-Background", b"1")
    assert tiers().is_background(get(AS_WORKER, said, tier=True))
    assert not tiers().is_background(get(AS_WORKER, tier=True))
    assert not tiers().is_background(get(said))
    made, asked = tiers(), get(AS_WORKER, said, tier=True)
    assert not made.restored(asked).fields.get(b"perigee-background")


def test_what_is_passed_on_by_the_owner_keeps_what_the_client_asked_for():
    made, asked = tiers(owner=1), get(*PARTS)
    to_worker, to_origin = (
        route.build(()) for route in made.straight(asked, made.restored(asked), RULES, KEY, by_owner=True)
    )
    for request in (to_worker, to_origin):
        assert set(PARTS) <= set(request.fields.lines)
    posted = exchange(b"POST", b"/a", (b"Content-Length", b"3"))
    for route in made.straight(posted, made.restored(posted), RULES, KEY, by_owner=True):
        assert route.build(()).framing == Length(3)


# --- to a node ---


class OneShield:
    """Every key has the same. said: what is told of each request: its key, and whether a node asks."""

    def __init__(self, *, straight: bool = True) -> None:
        self.node = ScriptedUpstream(ManualClock())
        self.straight = straight
        self.said: list[tuple[bytes, bool]] = []

    def ways(self, _rules: SiteRules, key: bytes, *, from_node: bool) -> Ways:
        self.said.append((key, from_node))
        return Ways((self.node,), self.straight)


def behind(shield: OneShield, *, owner: int = 0, index: int = 0) -> Tiers:
    return Tiers(
        name=b"edge-1",
        cdn_id=b"edge-1",
        trusted=(),
        index=index,
        owner_of=lambda _: owner,
        workers=(ONE, TWO),
        origin_of=lambda _: ORIGIN,
        shields=shield,
        secret=b"s" * 32,
    )


def test_the_request_to_a_node_line_for_line():
    made = behind(OneShield())
    to_node, _ = built(made, get((b"Accept", b"*/*"), *PARTS), validators=((b"ETag", b'"v"'),))
    assert to_node.fields.lines == (
        (b"Accept", b"*/*"),
        (b"If-None-Match", b'"v"'),
        (b"Via", b"1.1 edge-1"),
        (b"CDN-Loop", b"edge-1"),
        (b"Perigee-Authority", b"http a.example 80"),
        (b"Perigee-Hops", b"192.0.2.1"),
    )


@pytest.mark.parametrize("straight", [True, False])
def test_the_origin_is_asked_after_the_shield_where_that_is_allowed(straight: bool):
    shield = OneShield(straight=straight)
    made, asked = behind(shield, owner=1), get()
    ways = [(TWO, True, False), (shield.node, False, True), (ORIGIN, False, False)][: 3 if straight else 2]
    for routes in (
        made.routes(asked, made.restored(asked), RULES, KEY),
        made.straight(asked, made.restored(asked), RULES, KEY, by_owner=True),
    ):
        assert [(route.upstream, route.is_worker, route.is_node) for route in routes] == ways
    assert shield.said == [(KEY, False), (KEY, False)]


def test_a_body_and_an_upgrade_go_by_a_node_too():
    made = behind(OneShield())
    posted = exchange(b"POST", b"/a", (b"Content-Length", b"3"))
    assert [r.build(()).framing for r in made.straight(posted, made.restored(posted), RULES, KEY)] == [
        Length(3),
        Length(3),
    ]
    asked = get((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    head = made.restored(asked)
    assert [r.build(()).upgrade for r in made.straight(asked, head, RULES, KEY)] == [b"websocket"] * 2
    assert [r.build(()).upgrade for r in made.routes(asked, head, RULES, KEY)] == [None, None]


def test_what_a_node_asks_is_known_as_such_behind_the_next_worker_too():
    shield = OneShield()
    first, owner = behind(shield, owner=1), behind(shield, owner=1, index=1)
    asked = replace(get(AS_WORKER, tier=True), is_worker=False)
    to_worker, to_node, _ = built(first, asked)
    built(owner, arrived(to_worker))
    assert shield.said == [(KEY, True), (KEY, True)]
    for request in (to_node, *built(owner, arrived(to_worker))):
        assert b"perigee-for-node" not in request.fields


def arrived(request: UpstreamRequest) -> Exchange:
    """The exchange that a worker makes of what another sent it."""
    lines = b"".join(b"%b: %b\r\n" % line for line in request.fields)
    head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (request.method, request.target, request.host, lines)
    return Exchange(read(head), "", tier=True)


HOSTS = st.from_regex(
    rb"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{1,5}){1,2}|\[::[0-9a-f]{1,4}\]", fullmatch=True
)
ADDRESSES = st.ip_addresses().map(str)


@settings(max_examples=30)
@given(
    host=HOSTS,
    port=st.integers(1, 65535),
    scheme=st.sampled_from((b"http", b"https")),
    said=st.lists(ADDRESSES, max_size=3),
    peer=st.sampled_from(("198.51.100.7", "192.0.2.1", "2001:db8::1")),
    lines=st.lists(
        st.sampled_from(
            ((b"Accept", b"*/*"), (b"Accept-Encoding", b"br"), (b"Cookie", b"a=b"), (b"Cookie", b"c=d"))
        ),
        max_size=3,
    ),
)
def test_the_origin_gets_the_same_request_by_way_of_the_owner(
    host: bytes, port: int, scheme: bytes, said: list[str], peer: str, lines: list[Line]
):
    """As the first worker would have sent it itself."""
    said_lines = [(b"X-Forwarded-For", address.encode()) for address in said]
    asked = get(*lines, *said_lines, (b"X-Forwarded-Proto", scheme), peer=peer, host=b"%b:%d" % (host, port))
    first, owner = tiers(index=0, owner=1, trusted=TRUSTED), tiers(index=1, owner=1)
    to_worker, straight = built(first, asked)
    second = arrived(to_worker)
    assert owner.restored(second).authority == first.restored(asked).authority
    assert built(owner, second) == [straight]


# --- who is believed ---


@pytest.mark.parametrize("trusted", [(), TRUSTED], ids=["nobody trusted", "some trusted"])
def test_a_client_cannot_say_what_a_worker_says(trusted: Sequence[Network]):
    asked = get((AUTHORITY, b"https evil.example 443"), (HOPS, b"203.0.113.9"))
    made = tiers(owner=1, trusted=trusted)
    assert made.restored(asked).authority == Authority(b"http", b"a.example", 80)
    to_worker, to_origin = built(made, asked)
    assert to_worker.fields.all(AUTHORITY.lower()) == (b"http a.example 80",)
    assert to_worker.fields.all(HOPS.lower()) == (b"192.0.2.1",)
    assert to_origin.fields.all(AUTHORITY.lower()) == to_origin.fields.all(HOPS.lower()) == ()
    assert to_origin.fields.get(b"x-forwarded-for") == b"192.0.2.1"


def test_a_trusted_proxy_says_the_scheme_and_the_client():
    said = ((b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-For", b"203.0.113.9"))
    made = tiers(trusted=TRUSTED)
    assert made.restored(get(*said, peer="198.51.100.7")).authority == Authority(b"https", b"a.example", 443)
    (request,) = built(made, get(*said, peer="198.51.100.7"))
    assert request.fields.get(b"x-forwarded-for") == b"203.0.113.9, 198.51.100.7"
    assert request.fields.get(b"x-forwarded-proto") == b"https"
    assert made.restored(get(*said)).authority == Authority(b"http", b"a.example", 80)


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", b"203.0.113.9", "192.0.2.1"),
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", b"203.0.113.9", "203.0.113.9"),
        ("198.51.100.7", b"10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.7", b"198.51.100.8", "198.51.100.8"),
        ("198.51.100.7", b"unix:", "unknown"),
        ("198.51.100.7", b"203.0.113.9, unix:, 198.51.100.8", "unknown"),
    ],
)
def test_who_asks_is_the_first_that_is_no_proxy_of_ours(peer: str, said: bytes | None, client: str):
    lines = () if said is None else ((b"X-Forwarded-For", said),)
    assert tiers(trusted=TRUSTED).client(get(*lines, peer=peer)) == client


def test_who_asks_is_told_by_a_worker():
    assert tiers().client(get((HOPS, b"203.0.113.9, 198.51.100.7"), tier=True)) == "203.0.113.9"
    assert tiers().client(get(tier=True)) == "unknown"


def test_whom_to_trust_may_change():
    made = tiers()
    asked = get((b"X-Forwarded-Proto", b"https"), peer="198.51.100.7")
    assert made.restored(asked).authority.scheme == b"http"
    made.trusted = TRUSTED
    assert made.restored(asked).authority.scheme == b"https"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="none"),
        pytest.param(((AUTHORITY, b""),), id="empty"),
        pytest.param(((AUTHORITY, b"http a.example"),), id="no port"),
        pytest.param(((AUTHORITY, b"http a.example 80 1"),), id="more"),
        pytest.param(((AUTHORITY, b"http a.example x"),), id="no number"),
        pytest.param(((AUTHORITY, b"http a.example -1"),), id="negative"),
    ],
)
def test_a_workers_request_without_its_authority_is_none(lines: tuple[Line, ...]):
    with pytest.raises(ClientFault):
        tiers().restored(get(*lines, tier=True))


def test_a_worker_that_does_not_know_the_client_says_so():
    (request,) = built(tiers(), get(AS_WORKER, tier=True))
    assert request.fields.get(b"x-forwarded-for") == b"unknown"


def test_what_stands_between_workers_goes_no_further():
    (request,) = built(tiers(), get(AS_WORKER, (HOPS, b"192.0.2.1"), (b"Perigee-More", b"1"), tier=True))
    assert not [name for name in request.fields.names() if name.startswith(b"perigee-")]
    assert replace(request, fields=Fields()) == UpstreamRequest(b"GET", b"/a?b", b"a.example", Fields())
