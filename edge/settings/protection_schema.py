"""The settings of origin protection and of the way to shields. PURE.

Rules: edge.settings.schema. The defaults stand in edge.semantics.rules. What is said per node is divided among its workers,
which are processes that share no counters: each key has its one worker, so the shares are used evenly, and a node never sends
more than the whole. Each worker gets one at least.
"""

from __future__ import annotations

from edge.semantics.rules import HOUR, MINUTE, Balance, ShieldFallback
from edge.settings.address_kinds import HostHeader, OriginUrl
from edge.settings.composed import ListOf, MapOf, Or, SetOf
from edge.settings.geo_kinds import CheckPath, Number
from edge.settings.kinds import Choice, Count, Duration, Flag, Share
from edge.settings.schema import Order, Setting

_CAP = (
    Setting(
        "protection.max_in_flight",
        Count(1, 65_535),
        "protection.max_in_flight",
        "Requests under way to one origin at once, per node, and divided among its workers (at least one each): a request "
        "counts until the last byte of its answer has come. Sites that share an origin share this, and the lowest that one "
        "of them says counts. An origin that runs 50 threads wants 50 here; the default only keeps a storm from growing "
        "without bound. No worker has more of it than origin.max_connections. What became a tunnel (101) does not count, a "
        "stream of events does for as long as it lives.",
    ),
    Setting(
        "protection.queue",
        Count(0, 65_535),
        "protection.queue",
        "Requests that may wait for their turn, per node; further ones are answered with what is stale, or 503 with "
        "Retry-After. Clients come before refreshes in the background, of which the last is given up for a client.",
    ),
    Setting(
        "protection.queue_deadline",
        Duration(0.01, 5 * MINUTE),
        "protection.queue_deadline",
        "How long one may wait there. What waits longer than a client does is work for nobody.",
    ),
    Setting(
        "protection.weight",
        Count(1, 10_000),
        "protection.weight",
        "This site's part of the two, where several share an origin and all want more than there is. What one does not use, "
        "the others may.",
    ),
    Setting(
        "protection.adaptive",
        Flag(),
        "protection.adaptive",
        "Whether fewer requests than max_in_flight are sent when the origin becomes slower, as many as it answers without "
        "delay. For an origin whose limit nobody knows. It needs answers whose times are of one kind: where one page takes "
        "a hundred times as long as another, it takes the mixture for the load.",
    ),
    Setting(
        "protection.retry.share",
        Share(1.0),
        "protection.retry.share",
        "Further tries (origin.retries) are this share of the requests of the last ten seconds at most. A count per request "
        "doubles the load of an origin just when all of its answers fail; a share does not.",
    ),
    Setting(
        "protection.retry.minimum",
        Count(0, 10_000),
        "protection.retry.minimum",
        "So many further tries in ten seconds are made however few requests there are, per node.",
    ),
)

_FAILING = (
    Setting(
        "protection.failure_statuses",
        SetOf(ListOf(Count(400, 599), 50)),
        "protection.failure_statuses",
        "Answers that count as failures of an origin, as no answer and a body that breaks off always do.",
    ),
    Setting(
        "protection.breaker.share",
        Or("off", None, Share(1.0)),
        "protection.breaker.share",
        "When this share of the requests to an origin fails, it is left alone for a while: what is stale is served, or 503 "
        "with Retry-After, at once. Below it, it still does some work, so the default is high.",
    ),
    Setting(
        "protection.breaker.requests",
        Count(1, 100_000),
        "protection.breaker.requests",
        "Fewer requests than this in the window prove nothing, per node.",
    ),
    Setting(
        "protection.breaker.window",
        Duration(1, HOUR),
        "protection.breaker.window",
        "Over how long that share is reckoned.",
    ),
    Setting(
        "protection.breaker.rest",
        Duration(0.05, HOUR),
        "protection.breaker.rest",
        "How long an origin is left alone before it is tried again; twice as long each time that a try fails.",
    ),
    Setting(
        "protection.breaker.rest_max",
        Duration(0.05, HOUR),
        "protection.breaker.rest_max",
        "The longest that it is left alone.",
    ),
    Setting(
        "protection.breaker.probes",
        Count(1, 1000),
        "protection.breaker.probes",
        "Requests that try it then, at a time, in each worker; when as many in a row were answered, all may go there.",
    ),
)

_SEVERAL = (
    Setting(
        "protection.balance",
        Choice(tuple(Balance)),
        "protection.balance",
        "Which of several origins gets a request. order: the first that is in service; round-robin: each in turn; least: the "
        "one with the fewest requests under way; hash: always the same one for the same URL. The last three by weight.",
    ),
    Setting(
        "protection.weights",
        MapOf(OriginUrl(), Count(1, 1000), 32),
        "protection.weights",
        "Weights of origins, by their URL as in origins. Those not named have 1.",
    ),
    Setting(
        "protection.backups",
        ListOf(OriginUrl(), 16),
        "protection.backups",
        "Origins that are asked only when none of origins is in service, in this order.",
    ),
    Setting(
        "protection.ejection.failures",
        Or("off", None, Count(1, 1000)),
        "protection.ejection.failures",
        "One of several origins is passed over for a while after so many failures in a row, in each worker.",
    ),
    Setting(
        "protection.ejection.share",
        Or("off", None, Share(1.0)),
        "protection.ejection.share",
        "Or when this share of its requests of ten seconds failed, and there were twenty at least.",
    ),
    Setting(
        "protection.ejection.time",
        Duration(0.05, HOUR),
        "protection.ejection.time",
        "For how long; twice as long each time that it happens again soon.",
    ),
    Setting(
        "protection.ejection.time_max",
        Duration(0.05, 24 * HOUR),
        "protection.ejection.time_max",
        "The longest ejection.",
    ),
    Setting(
        "protection.ejection.max_share",
        Share(1.0),
        "protection.ejection.max_share",
        "No more than this share of a site's origins is passed over, for failures or by checks: when all seem to fail, it is "
        "more likely the way to them, or a page that fails everywhere. Of one origin that is none: the breaker is its "
        "protection.",
    ),
    Setting(
        "protection.ejection.slow_start",
        Duration(0, HOUR),
        "protection.ejection.slow_start",
        "How long an origin that returns takes to get its full share, for it may be cold.",
    ),
)

_CHECKS = (
    Setting(
        "protection.check.path",
        Or("off", None, CheckPath()),
        "protection.check.path",
        "What is asked of each origin, by GET, to see whether it works; 2xx and 3xx say so. Every worker checks for itself. "
        "It should be cheap for the origin.",
    ),
    Setting(
        "protection.check.host",
        Or("auto", None, HostHeader()),
        "protection.check.host",
        'Host in a check. "auto": origin.host_header, or else the first of hostnames.',
    ),
    Setting(
        "protection.check.interval",
        Duration(0.05, HOUR),
        "protection.check.interval",
        "From the end of one check to the next.",
    ),
    Setting(
        "protection.check.timeout",
        Duration(0.01, MINUTE),
        "protection.check.timeout",
        "A check that takes longer has failed.",
    ),
    Setting(
        "protection.check.down_after",
        Count(1, 100),
        "protection.check.down_after",
        "Checks in a row that fail before an origin is passed over.",
    ),
    Setting(
        "protection.check.up_after",
        Count(1, 100),
        "protection.check.up_after",
        "Checks in a row that succeed before it returns; they end an ejection too.",
    ),
)

_SHIELD = (
    Setting(
        "shield.fallback",
        Choice(tuple(ShieldFallback)),
        "shield.fallback",
        "Who is asked when no shield of the region answers. origin: shields of other regions, then the origin, so that "
        "clients are answered; shields: shields of other regions only, for an origin that cannot stand more than them; "
        "stale: nobody, and what is stale is used where that is allowed.",
    ),
    Setting(
        "shield.load_factor",
        Number(1, 10),
        "shield.load_factor",
        "A shield that has more than this times its share of what a worker has under way passes new keys on to the next, so "
        "that one hot key's misses do not pile up on one. Lower spreads better and keeps less together.",
    ),
)

SITE_PROTECTION = (*_CAP, *_FAILING, *_SEVERAL, *_CHECKS, *_SHIELD)
PROTECTION_ORDERS = (
    Order("protection.breaker.rest", "protection.breaker.rest_max"),
    Order("protection.ejection.time", "protection.ejection.time_max"),
)
PROTECTION_TABLES = {
    "protection": "How much an origin is asked of at once, and what happens to one that fails.",
    "protection.retry": "Further tries, in all.",
    "protection.breaker": "When an origin that fails is left alone.",
    "protection.ejection": "When one of several origins is passed over.",
    "protection.check": "How origins are asked whether they work.",
    "shield": "How misses go to shields.",
}
