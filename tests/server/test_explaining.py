"""What a worker says of a request is what it would do."""

from __future__ import annotations

import pytest

from edge.errors import ClientFault
from edge.fence import Fence
from edge.measures import Measures
from edge.semantics.key import primary_key
from edge.semantics.message import Authority, Fields, RequestHead, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.semantics.selectors import Host, selectors_for
from edge.server.explaining import asked, explain
from edge.settings.load import from_origin
from edge.settings.sites import NO_SITES
from edge.store.memory import MemoryTier
from edge.store.store import Store
from tests.kit.clock import ManualClock
from tests.kit.stored_responses import FRESH, NOW, holding

SITES = from_origin("http://127.0.0.1:3000").sites
URL = "http://a.example/a?b"
FENCE = Fence(PurgeTable(lambda _uri: ()), ManualClock())


@pytest.fixture
async def store():
    store = Store(MemoryTier(1 << 20, 1 << 20), None, measures=Measures(), write_behind_bytes=0)
    await store.open()
    yield store
    await store.aclose()


def put(store: Store, request: RequestHead, *vary: tuple[bytes, bytes | None]) -> None:
    from dataclasses import replace

    lines = [(b"Vary", name) for name, _ in vary]
    key = primary_key(request.authority, request.target, SITES.sites[0].key)
    named = selectors_for("default", request.authority, request.target, Fields(lines))
    store.put(replace(holding(*lines), key=key, nominated=tuple(vary), selectors=named), b"0123456789")


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://a.example", Authority(b"http", b"a.example", 80), b"/"),
        ("https://a.example:8443/a?b=c#d", Authority(b"https", b"a.example", 8443), b"/a?b=c"),
        ("http://[::1]:8080/%41", Authority(b"http", b"[::1]", 8080), b"/%41"),
        ("http://a.example?b", Authority(b"http", b"a.example", 80), b"/?b"),
    ],
)
def test_a_url_is_the_request_that_a_client_would_send(url: str, authority: Authority, target: bytes):
    head = asked(url, ["Accept: text/html"])
    assert (head.method, head.authority, head.target) == (b"GET", authority, target)
    assert head.fields.get(b"accept") == b"text/html"


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("", ""),
        ("gopher://a/", "A: b"),
        ("http:///a", "A: b"),
        ("http://a/ b", "A: b"),
        ("http://a/\r\nX: y", "A: b"),
        ("http://a/", "A: b\r\nHost: c"),
        ("http://a/", "no colon"),
        ("http://a/", "Host: b"),
    ],
)
def test_what_would_be_refused_from_a_client_is_refused_here(url: str, header: str):
    with pytest.raises(ClientFault):
        asked(url, [header])


async def test_nothing_stored_is_a_miss(store: Store):
    said = await explain(asked(URL, []), SITES, store, FENCE, NOW)
    assert (said["decision"], said["because"], said["stored"]) == ("uri-miss", "nothing-stored", [])
    assert said["site"] == "default"
    assert said["target"] == "/a?b"


async def test_what_is_stored_is_shown_with_its_arithmetic(store: Store):
    put(store, asked(URL, []))
    said = await explain(asked(URL, []), SITES, store, FENCE, UnixSeconds(NOW + 20.0))
    assert (said["decision"], said["because"]) == ("hit", "fresh")
    assert said["stored"] == [
        {
            "where": "memory",
            "status": 200,
            "bytes": 10,
            "matches": True,
            "vary": {},
            "age": 20.0,
            "lifetime": FRESH.lifetime,
            "lifetime_source": "max-age",
            "remaining": 40.0,
            "stale_while_revalidate": 0.0,
            "stale_if_error": 0.0,
            "validated_each_time": False,
            "purges": "vouched",
            "tags": [],
        }
    ]
    stale = await explain(asked(URL, []), SITES, store, FENCE, UnixSeconds(NOW + 70.0))
    assert (stale["decision"], stale["because"]) == ("stale", "expired")


async def test_the_variants_show_which_one_matches(store: Store):
    put(store, asked(URL, []), (b"accept", b"text/html"))
    put(store, asked(URL, []), (b"accept", None))
    said = await explain(asked(URL, ["Accept: text/html"]), SITES, store, FENCE, NOW)
    stored = said["stored"]
    assert isinstance(stored, list)
    assert sorted((each["vary"]["accept"] or "", each["matches"]) for each in stored) == [
        ("", False),
        ("text/html", True),
    ]
    other = await explain(asked(URL, ["Accept: image/png"]), SITES, store, FENCE, NOW)
    assert (other["decision"], other["because"]) == ("vary-miss", "no-variant")


async def test_a_host_that_no_site_names_is_refused(store: Store):
    with pytest.raises(ClientFault) as fault:
        await explain(asked(URL, []), NO_SITES, store, FENCE, NOW)
    assert fault.value.status == 421


async def test_what_a_purge_names_is_told(store: Store):
    table = PurgeTable(lambda _uri: ())
    put(store, asked(URL, []))
    table.apply(PurgeOrder("one", NOW, (Host(b"a.example"),)), 1)
    said = await explain(asked(URL, []), SITES, store, Fence(table, ManualClock()), NOW)
    assert (said["decision"], said["because"]) == ("uri-miss", "purged")
    assert isinstance(said["stored"], list)
    assert [stored["purges"] for stored in said["stored"]] == ["hard"]
