"""What a worker holds for a request, and what it would do with it now; nothing is sent anywhere.

Owns: `explain`, and `asked`, which reads the request from a URL and header lines. Rule: nothing is decided here: the
parser, the key, the look-up and the decision are those that an exchange goes through, so that what is said is what would
happen.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import ClientFault
from edge.fence import Fence
from edge.semantics import key as keys
from edge.semantics.decide import select
from edge.semantics.decisions import Forward, Refuse, Reuse, Serve, ServeStale
from edge.semantics.forwarding import cleaned_request
from edge.semantics.message import RequestHead, UnixSeconds
from edge.semantics.reasons import SENTENCE, Because
from edge.semantics.stored import StoredResponse
from edge.settings.sites import SiteTable
from edge.store.store import Store
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.request import parse_request_head


def asked(url: str, headers: Sequence[str], method: str = "GET") -> RequestHead:
    """The request that a client would send. url: http or https. headers: "Name: value". ClientFault, as for a client."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"http", "https"}:
        raise ClientFault("the URL does not begin with http:// or https://")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:].partition("#")[0]
    if not target.startswith("/"):
        target = f"/{target}"
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}", *headers]
    if any("\r" in line or "\n" in line for line in lines):
        raise ClientFault("a line break in the URL or in a header")
    head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
    return parse_request_head(head, DEFAULT_LIMITS, scheme.encode()).head


async def explain(
    request: RequestHead, sites: SiteTable, store: Store, fence: Fence, now: UnixSeconds
) -> dict[str, object]:
    """In JSON's values. ClientFault for a host that no site names (421), and for a target that is refused."""
    rules = sites.find(request.authority.host)
    if rules is None:
        raise ClientFault("no site has this host name", status=421, proxy_status="destination_not_found")
    head = cleaned_request(request, rules)
    key = keys.primary_key(head.authority, head.target, rules.key)
    clean = {held.value: held.clean for held in store.in_memory(key)}
    found: Sequence[StoredResponse] = tuple(clean)
    if store.is_on_disk(key):
        found = await store.load(key)
    known = [(each, clean.get(each, each.fence)) for each in found]
    _, reuse = fence.decide(head, known, rules, fence.applied, now)
    decision, because = _decision(reuse)
    return {
        "site": rules.name,
        "key": key.hex(),
        "target": _text(head.target),
        "decision": decision,
        "because": because.value,
        "why": SENTENCE[because],
        "stored": [
            {
                **_stored(each, now, select(head, (each,), rules.vary) is each),
                "where": "memory" if each in clean else "disk",
                "purges": fence.table.standing(each, at, fence.applied, rules.vary).standing.value,
                "tags": [_text(tag) for tag in each.selectors.tags],
            }
            for each, at in known
        ],
    }


def _decision(reuse: Reuse) -> tuple[str, Because]:
    match reuse:
        case Serve(because=because):
            return "hit", because
        case ServeStale(because=because):
            return "stale", because
        case Forward(fwd, because):
            return fwd.value, because
        case Refuse(status, because):
            return str(status), because


def _stored(stored: StoredResponse, now: UnixSeconds, matches: bool) -> dict[str, object]:
    freshness = stored.freshness
    age = freshness.age(now)
    return {
        "status": stored.head.status,
        "bytes": stored.body_length,
        "matches": matches,
        "vary": {_text(name): None if v is None else _text(v) for name, v in stored.nominated},
        "age": round(age, 3),
        "lifetime": freshness.lifetime,
        "lifetime_source": freshness.source.value,
        "remaining": round(freshness.lifetime - age, 3),
        "stale_while_revalidate": freshness.stale_while_revalidate,
        "stale_if_error": freshness.stale_if_error,
        "validated_each_time": freshness.no_cache,
    }


def _text(value: bytes) -> str:
    return value.decode("latin-1")
