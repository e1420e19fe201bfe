"""Clients whose place counts: sent to another edge, counted as far, or told apart by their country.

Owns: `Leading`, the node's collaborator for sites that have redirects or countries in their key; the node asks `concerns` for
all others, and nothing else. Rules: only GET and HEAD are sent elsewhere, and only by what we verified of the client's address
(edge.semantics.forwarding); an answer of ours holds for this client alone and is never stored by anybody; whoever is not sent
elsewhere is served, wherever he came from. A client is judged where he comes in: what a worker or node of ours passes on has
been.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from edge.clock import Clock
from edge.exchange import Exchange, Reply, Verdict
from edge.geo.measures import LeadMeasures
from edge.geo.router import Led, Router
from edge.replying import redirect_reply
from edge.semantics.forwarding import Network, verified_hops
from edge.semantics.message import Authority, Fields, Line, RequestHead
from edge.semantics.reasons import Because
from edge.semantics.redirect_rules import Redirect
from edge.semantics.rules import COUNTRY, SiteRules
from edge.semantics.status import cache_status_member
from edge.semantics.syntax import format_http_date
from edge.settings.sites import SiteTable
from edge.values import replace

OTHER = b"other"
"""A country that the site does not name, or that nobody knows."""
AS_JSON = b"format=json"

_COUNTRY_NAME = b"-".join(part.capitalize() for part in COUNTRY.split(b"-"))
_FOR_NOBODY_ELSE: tuple[Line, ...] = (
    (b"Cache-Control", b"private, no-store"),
    (b"Vary", b"*"),  # it hangs on the address, which no field says (RFC 9110 s12.5.5)
)
_LEADS = frozenset((Redirect.FOUND, Redirect.TEMPORARY))
_METHODS = frozenset((b"GET", b"HEAD"))


class Leading:
    """See the module. `router` and `trusted` may be replaced whole at any time."""

    def __init__(
        self,
        name: bytes,
        router: Router,
        *,
        measures: LeadMeasures,
        trusted: Sequence[Network],
        clock: Clock,
    ) -> None:
        self.router = router
        self.trusted = tuple(trusted)
        self._name = name
        self._clock = clock
        self._redirects = measures.redirects
        self._far = measures.far_requests

    @staticmethod
    def concerns(rules: SiteRules) -> bool:
        """Whether the site wants to know where its clients are."""
        return rules.redirect.answer is not Redirect.OFF or rules.key.countries is not None

    def lead(
        self, exchange: Exchange, head: RequestHead, rules: SiteRules, sites: SiteTable
    ) -> RequestHead | Reply:
        """Where to go instead; or the request as it is served here: under the host that the client asked for first.

        head: as the client meant it, of a site that is concerned.
        """
        if exchange.tier:
            return head
        client = self._client(exchange)
        asked = self.router.without_mark(head.authority.host, rules.redirect)
        if asked is not None:
            if asked != head.authority.host and sites.find(asked) is rules:
                head = replace(head, authority=replace(head.authority, host=asked))
        elif rules.redirect.answer in _LEADS and head.method in _METHODS and exchange.request.upgrade is None:
            path = head.target.partition(b"?")[0]
            led = self.router.lead(rules.name, rules.redirect, client, head.authority.host, path)
            if led is not None or (rules.redirect.json and _wants_json(head.target)):
                return self._reply(head, rules, led)
        if rules.key.countries is not None:
            head = replace(head, fields=head.fields.with_set(_COUNTRY_NAME, self._country(client, rules)))
        return head

    def served(self, exchange: Exchange, rules: SiteRules) -> None:
        """Count a request that is served here, if it came from afar."""
        if (
            rules.redirect.answer is not Redirect.OFF
            and not exchange.tier
            and self.router.better(rules.name, self._client(exchange)) is not None
        ):
            self._far.of(rules.name).value += 1

    def _client(self, exchange: Exchange) -> str:
        if not self.trusted:
            return exchange.peer
        return verified_hops(exchange.peer, exchange.request.head.fields, self.trusted)[0]

    def _country(self, client: str, rules: SiteRules) -> bytes:
        country, named = self.router.country(client), rules.key.countries
        if country is None or (named and country not in named):
            return OTHER
        return country.encode("ascii")

    def _reply(self, head: RequestHead, rules: SiteRules, led: Led | None) -> Reply:
        """Where the client is to go; as JSON also that it may stay."""
        as_json = rules.redirect.json and _wants_json(head.target)
        target = _without_json(head.target) if as_json else head.target
        authority = head.authority if led is None else replace(head.authority, host=led.host)
        location = _url(authority, target)
        if led is not None:
            self._redirects.of(rules.name, led.to).value += 1
        member = cache_status_member(self._name, detail=Because.REDIRECTED)
        date = format_http_date(self._clock.now())
        common = ((b"Date", date), *_FOR_NOBODY_ELSE, (b"Cache-Status", member))
        verdict = Verdict(rules.name, "-", Because.REDIRECTED)
        if as_json:
            said = {"location": location.decode("latin-1")}
            if led is not None:
                said["to"] = led.to if led.node is None else led.node
            body = json.dumps(said).encode() + b"\n"
            fields = Fields(((b"Content-Type", b"application/json"), *common))
            return Reply(200, b"OK", fields, body, len(body), verdict)
        return redirect_reply(int(rules.redirect.answer.value), location, verdict, *common)


def _wants_json(target: bytes) -> bool:
    return AS_JSON in target.partition(b"?")[2].split(b"&")


def _without_json(target: bytes) -> bytes:
    path, _, query = target.partition(b"?")
    kept = b"&".join(part for part in query.split(b"&") if part != AS_JSON)
    return path + b"?" + kept if kept else path


def _url(authority: Authority, target: bytes) -> bytes:
    return b"%b://%b%b" % (authority.scheme, authority.render(), target)
