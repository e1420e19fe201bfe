"""From the octets of a query to those of its answer, whoever carried them.

Owns: `Responder`: the ready answers of the view in force, the strict path for everything else, cookies, rates, counters and
the routing log. Rules: it never waits and never raises: a fault of ours is logged, counted and answered SERVFAIL; what it
returns has the query's id and is never longer than the client and the settings allow. A client that sends a cookie we gave
it is not limited; one that is over its rate and sends a cookie of its own is told ours (BADCOOKIE, RFC 7873 s5.2.3), any
other one is told to come by TCP.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from edge.clock import Clock
from edge.geo.dns.answer import Answer, answer
from edge.geo.dns.cookies import Checked, Cookies
from edge.geo.dns.edns import Edns
from edge.geo.dns.hot import HotAnswers
from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.render import AnswerReason, Reply, opt_record, render, rotated
from edge.geo.dns.routing_log import Recorded
from edge.geo.dns.rrl import ResponseRates, Verdict
from edge.geo.dns.view import View
from edge.geo.dns.wire import (
    PLAIN_LIMIT,
    TC,
    TCP_LIMIT,
    CookieQuery,
    Drop,
    Malformed,
    Query,
    Rcode,
    parse_query,
)
from edge.metrics import Counter
from edge.settings.dns import DnsSettings

MAX_COOKIES = 65_536
"""Cookies that were verified and need no second look; they are forgotten all at once."""

COOKIE_MEMORY_SECONDS = 60.0
"""How long a verified cookie is taken without a look: far less than it is good for."""

_BECAUSE = {
    Rcode.FORMERR: AnswerReason.MALFORMED,
    Rcode.NOTIMP: AnswerReason.NOT_IMPLEMENTED,
    Rcode.BADVERS: AnswerReason.BAD_VERSION,
}
_EMPTY = Reply(Rcode.NOERROR, AnswerReason.COOKIE)
_COOKIE_WANTED = Reply(Rcode.BADCOOKIE, AnswerReason.COOKIE)

Question = Query | CookieQuery | Malformed
"""What gets an answer."""

_log = logging.getLogger("perigee.dns")


class Responder:
    """secrets: of cookies, one at least. is_exempt: of a packed address, from rates. record: takes routed answers, None =
    nobody wants them.
    """

    def __init__(
        self,
        settings: DnsSettings,
        view: View,
        *,
        secrets: Sequence[bytes],
        clock: Clock,
        measures: DnsMeasures,
        is_exempt: Callable[[bytes], bool] = lambda _source: False,
        record: Callable[[Recorded], None] | None = None,
    ) -> None:
        self._clock = clock
        self._measures = measures
        self.record = record
        self._is_exempt = is_exempt
        self._verified: dict[bytes, float] = {}
        self._now = clock.mono()
        limited, cookies, dropped = measures.limited, measures.cookies, measures.dropped
        self._slipped, self._withheld = limited.of("slip"), limited.of("dropped")
        self._over_rate, self._failed = dropped.of("rate"), dropped.of("failed")
        self._valid_cookies, self._new_cookies = cookies.of("valid"), cookies.of("new")
        measures.kept.source = lambda: self._hot.kept
        self.apply(settings, view, secrets)

    def apply(self, settings: DnsSettings, view: View, secrets: Sequence[bytes]) -> None:
        """New settings and a new view: nothing that was made from the old ones is used any more."""
        self._settings = settings
        bounds = self._measures.bound_reached
        self._rates = ResponseRates(settings.rate, self._is_exempt, _counting(bounds.of("dns.rate.networks")))
        self._cookies = Cookies(secrets)
        self._verified.clear()
        self.show(view)

    def show(self, view: View) -> None:
        """A new view: health, load or a database changed."""
        self._measures.views.value += 1
        self._hot = HotAnswers(
            view,
            udp_size=self._settings.udp_size,
            max_answers=self._settings.max_answers,
            counted=self._cell_of,
            has_cookie=self._is_verified,
            on_full=_counting(self._measures.bound_reached.of("dns.max_answers")),
        )

    @property
    def view(self) -> View:
        """The one in force."""
        return self._hot.view

    def tick(self) -> None:
        """Look at the clock: before a batch of queries, since a look for each costs a tenth of its answer."""
        self._now = self._clock.mono()

    def by_udp(self, query: bytes, source: bytes) -> bytes | None:
        """The answer, None = there is none. source: packed address."""
        try:
            found = self._hot.answer(query, source)
            if found is None:
                return self._strict(query, source, by_tcp=False)
            made, ready = found
            is_error = made[3] & 0x0F == Rcode.NXDOMAIN or made[3] & 0x0F == Rcode.REFUSED
            verdict = self._rates.verdict(source, self._now, is_error=is_error)
            if verdict is not Verdict.SEND and query[-24:] + source not in self._verified:
                return self._limited(query, source, verdict)
            ready.counted.value += 1
            if self.record is not None and ready.reply.pop:
                self.record(Recorded(source, query, ready.reply, by_tcp=False))
            return made
        except Exception:  # noqa: BLE001  # one odd query must not end the server
            return self._failure(query)

    def by_tcp(self, query: bytes, source: bytes) -> bytes | None:
        """The same; there is no rate, since whoever has a connection has the address."""
        try:
            found = self._hot.answer(query, source, by_tcp=True)
            if found is None:
                return self._strict(query, source, by_tcp=True)
            made, ready = found
            ready.counted.value += 1
            if self.record is not None and ready.reply.pop:
                self.record(Recorded(source, query, ready.reply, by_tcp=True))
            return made
        except Exception:  # noqa: BLE001  # one odd query must not end the server
            return self._failure(query)

    def _cell_of(self, reply: Reply) -> Counter:
        return self._measures.answers.of(reply.pop, reply.because.value)

    def _strict(self, query: bytes, source: bytes, *, by_tcp: bool) -> bytes | None:
        """Parse, decide, render."""
        parsed = parse_query(query)
        if isinstance(parsed, Drop):
            self._measures.dropped.of(parsed.why.value).value += 1
            return None
        edns = None if isinstance(parsed, Malformed) else parsed.edns
        cookie = self._cookie(edns, source)
        found = self._found(parsed, source)
        reply = found.reply
        if not by_tcp and not (cookie and cookie.is_ours):
            is_error = reply.rcode is not Rcode.NOERROR
            verdict = self._rates.verdict(source, self._now, is_error=is_error)
            if verdict is not Verdict.SEND:
                return self._short(parsed, cookie, verdict)
        self._measures.strict.value += 1
        self._cell_of(reply).value += 1
        if self.record is not None and reply.pop:
            self.record(Recorded(source, query, reply, by_tcp))
        return self._rendered(parsed, found, cookie, limit=TCP_LIMIT if by_tcp else self._limit(edns))

    def _found(self, parsed: Question, source: bytes) -> Answer:
        match parsed:
            case Query():
                return answer(parsed, source, self._hot.view)
            case CookieQuery():
                return Answer(_EMPTY)
            case Malformed():
                return Answer(Reply(parsed.rcode, _BECAUSE[parsed.rcode]))

    def _rendered(
        self, parsed: Question, found: Answer, cookie: Checked | None, *, limit: int = TCP_LIMIT
    ) -> bytes:
        """limit: octets."""
        edns = None if isinstance(parsed, Malformed) else parsed.edns
        size, opt = self._settings.udp_size, b""
        if edns is not None:
            options = b"" if cookie is None else cookie.option
            if edns.subnet is not None and self._hot.view.ecs.enabled:
                options += edns.subnet.wire(found.scope)
            opt = opt_record(found.reply.rcode, size=size, dnssec_ok=edns.wants_dnssec, options=options)
        elif isinstance(parsed, Malformed) and parsed.has_edns:
            opt = opt_record(found.reply.rcode, size=size)
        question = b"" if isinstance(parsed, CookieQuery) else parsed.question
        reply = rotated(found.reply, parsed.id[1])
        made = render(parsed.id, parsed.flags, question, reply, opt=opt, limit=limit)
        self._measures.truncated.value += bool(made[2] & TC)
        return made

    def _limit(self, edns: Edns | None) -> int:
        return PLAIN_LIMIT if edns is None else max(PLAIN_LIMIT, min(edns.size, self._settings.udp_size))

    # -- cookies and rates --

    def _cookie(self, edns: Edns | None, source: bytes) -> Checked | None:
        if edns is None or edns.cookie is None:
            return None
        checked = self._cookies.check(edns.cookie, source, self._clock.now())
        if checked.is_ours:
            self._valid_cookies.value += 1
        else:
            self._new_cookies.value += 1
        if checked.is_ours and checked.option[4:] == edns.cookie:
            if len(self._verified) >= MAX_COOKIES:
                self._verified.clear()
            self._verified[edns.cookie + source] = self._now + COOKIE_MEMORY_SECONDS
        return checked

    def _is_verified(self, cookie_and_source: bytes) -> bool:
        """Whether this cookie was found good for this address a short while ago."""
        until = self._verified.get(cookie_and_source)
        if until is None or until < self._now:
            return False
        self._valid_cookies.value += 1
        return True

    def _limited(self, query: bytes, source: bytes, verdict: Verdict) -> bytes | None:
        """Instead of an answer that was ready."""
        parsed = parse_query(query)
        assert isinstance(parsed, Query), "an answer was ready for what is no query"
        return self._short(parsed, self._cookie(parsed.edns, source), verdict)

    def _short(self, parsed: Question, cookie: Checked | None, verdict: Verdict) -> bytes | None:
        """What goes out over the rate: nothing, or no more than came in but for a cookie."""
        if verdict is Verdict.DROP:
            self._withheld.value += 1
            self._over_rate.value += 1
            return None
        self._slipped.value += 1
        if cookie is not None:
            return self._rendered(parsed, Answer(_COOKIE_WANTED), cookie, limit=PLAIN_LIMIT)
        made = self._rendered(parsed, Answer(_EMPTY), None, limit=PLAIN_LIMIT)
        return made[:2] + bytes((made[2] | TC,)) + made[3:]

    def _failure(self, query: bytes) -> bytes | None:
        """Our own fault; whoever asked shall try another server."""
        self._failed.value += 1
        _log.exception("a query could not be answered", extra={"query": query[:300].hex()})
        if len(query) < 12 or query[2] & 0x80:
            return None
        return query[:2] + bytes((0x80 | query[2] & 0x79, Rcode.SERVFAIL)) + bytes(8)


def _counting(cell: Counter) -> Callable[[], None]:
    def count() -> None:
        cell.value += 1

    return count
