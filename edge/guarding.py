"""What a site wants of the connection that a request comes by: https, the right client certificate; and what it says there.

Owns: `Guarding`, the node's collaborator for sites with a [tls] of their own; the node asks it about no others, but
about clients that were asked for a certificate. Rules: a client is judged where he comes in, and what a worker or node of ours
passes on has been. What the origin is told of a client's certificate is what was verified in this connection's handshake,
never what a client or a proxy says. An answer of ours that sends a client to https is never stored by anybody: a cache in
front of us could not tell it from the answer to https.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.errors import ClientFault
from edge.exchange import Exchange, Reply, Verdict
from edge.replying import NO_STORE, redirect_reply
from edge.semantics.message import Authority, RequestHead
from edge.semantics.reasons import Because
from edge.semantics.rules import SiteRules
from edge.semantics.status import cache_status_member
from edge.semantics.tls_rules import (
    CLIENT_CERT,
    client_cert_value,
    hsts_line,
    https_location,
    is_challenge,
    is_good_for,
    redirect_status,
)
from edge.values import replace
from edge.wire.framing import NO_BODY

GET, HEAD, PURGE = b"GET", b"HEAD", b"PURGE"
_CLIENT_CERT_NAME = b"Client-Cert"


class Guarding:
    """See the module. name: of this node."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def admitted(self, exchange: Exchange, head: RequestHead, rules: SiteRules) -> RequestHead | Reply:
        """The request as it is served, or where it belongs. head: as the client meant it; no tier of ours passed it on.

        Raises ClientFault 421 for a site that wants another connection than this one.
        """
        tls = rules.tls
        location = https_location(tls, head.authority, head.target)
        if location is not None and head.method != PURGE:  # whoever purges at one node means that node
            return self._redirect(head, rules, location)
        shown = exchange.tls
        had = None if shown is None else shown.policy
        if not is_good_for(had, tls.client) and not _fetches_challenge(exchange, head):
            raise ClientFault(
                "this host wants a TLS connection of its own, for what it asks of clients",
                status=421,
                proxy_status="destination_unavailable",
            )
        if not tls.tell:
            return head
        fields = head.fields.without((CLIENT_CERT,))
        if shown is not None and shown.certificate is not None:
            fields = fields.with_set(_CLIENT_CERT_NAME, client_cert_value(shown.certificate))
        return head if fields is head.fields else replace(head, fields=fields)

    def _redirect(self, head: RequestHead, rules: SiteRules, location: bytes) -> Reply:
        return redirect_reply(
            redirect_status(rules.tls, head.method),
            location,
            Verdict(rules.name, "-", Because.TO_HTTPS),
            NO_STORE,
            (b"Cache-Status", cache_status_member(self._name, detail=Because.TO_HTTPS)),
        )


def _fetches_challenge(exchange: Exchange, head: RequestHead) -> bool:
    """What the authorities of ACME do (RFC 8555 s8.3): a GET. Nobody uploads or opens a tunnel there without a certificate."""
    request = exchange.request
    is_plain = head.method in (GET, HEAD) and request.framing is NO_BODY and request.upgrade is None
    return is_plain and is_challenge(head.authority, head.target)


def says_hsts(sites: Iterable[SiteRules]) -> bool:
    """Whether any of them has Strict-Transport-Security."""
    return any(site.tls.hsts is not None for site in sites)


def with_hsts(reply: Reply, authority: Authority, rules: SiteRules) -> Reply:
    """With Strict-Transport-Security where it goes to a client over https, whatever it had (RFC 6797 s7.1).

    authority: as the client meant it. Not for a reply whose head is ready: that has it.
    """
    if reply.ready is None:
        line = hsts_line(rules.tls, authority)
        if line is not None:
            reply.fields = reply.fields.with_set(*line)
    return reply
