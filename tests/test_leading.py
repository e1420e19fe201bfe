"""Clients whose place counts, through a whole node: sent, served, counted, told apart, and never stored by anybody."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.geo.network_view import Health, PopView
from edge.semantics.reasons import Because
from edge.semantics.redirect_rules import Redirect, RedirectRules
from edge.semantics.rules import COUNTRY, KeyRules, SiteRules
from edge.semantics.syntax import format_http_date
from tests.kit.node_bench import exchange, got, node_bench
from tests.kit.routers import AMERICAN, FRENCH, GERMAN, JAPANESE, NOBODY, POPS, routed, router
from tests.kit.scripted_upstream import fresh

LEADS = SiteRules(redirect=RedirectRules(Redirect.FOUND, json=True))
COUNTS = SiteRules(redirect=RedirectRules(Redirect.COUNT))
BY_COUNTRY = SiteRules(key=KeyRules(headers=(COUNTRY,), countries=frozenset({"DE", "US"})))
PROXY = ip_network("10.0.0.0/8")


async def test_a_far_client_is_sent_to_its_pop_and_nobody_may_keep_that(tmp_path: Path):
    async with node_bench(tmp_path, LEADS, router=router()) as bench:
        answer = await bench.get(b"/a?b=%2F", peer=AMERICAN)
        assert answer.status == 302
        assert answer.line(b"location") == b"http://iad.a.example/a?b=%2F"
        assert answer.line(b"cache-control") == b"private, no-store"
        assert answer.line(b"vary") == b"*"
        assert answer.line(b"date") == format_http_date(bench.clock.now())
        assert answer.cache == b"edge-1;detail=redirected"
        assert answer.verdict.because is Because.REDIRECTED
        assert bench.origin.requests == []
        assert bench.counted("perigee_redirects_total") == {"iad": 1}
        assert bench.counted("perigee_far_requests_total") == {}


async def test_a_near_client_is_served_from_memory_at_once(tmp_path: Path):
    async with node_bench(tmp_path, LEADS, router=router()) as bench:
        await bench.stored(b"/a")
        hit = bench.node.answer_now(exchange(b"GET", b"/a", peer=GERMAN))
        assert hit is not None
        assert (await got(hit)).status == 200
        sent = bench.node.answer_now(exchange(b"GET", b"/a", peer=AMERICAN))
        assert sent is not None
        assert sent.status == 302


async def test_307_is_307(tmp_path: Path):
    rules = replace(LEADS, redirect=replace(LEADS.redirect, answer=Redirect.TEMPORARY))
    async with node_bench(tmp_path, rules, router=router()) as bench:
        assert (await bench.get(peer=AMERICAN)).status == 307


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 302), (b"POST", 200), (b"OPTIONS", 200)])
async def test_only_get_and_head_are_sent_elsewhere(tmp_path: Path, method: bytes, status: int):
    async with node_bench(tmp_path, LEADS, router=router()) as bench:
        assert (await bench.ask(method, b"/a", peer=AMERICAN)).status == status


async def test_who_was_sent_here_is_served_and_all_see_the_host_that_was_asked_for_first(tmp_path: Path):
    async with node_bench(tmp_path, LEADS, router=router()) as bench:
        for host in (b"iad.a.example", b"fra.a.example", b"a.example"):
            peer = GERMAN if host == b"a.example" else AMERICAN
            answer = await got(await bench.reply(exchange(b"GET", b"/a", peer=peer, host=host)))
            assert answer.status == 200
        (request,) = bench.origin.requests
        assert request.host == b"a.example"
        assert len(bench.held(b"/a")) == 1
        assert bench.counted("perigee_far_requests_total") == {"default": 2}


async def test_a_host_that_is_another_sites_is_left_as_it_is(tmp_path: Path):
    fra = SiteRules(name="default", hostnames=(b"fra.a.example",), redirect=LEADS.redirect)
    sites = (fra, SiteRules(name="other"))
    async with node_bench(tmp_path, fra, sites=sites, router=router()) as bench:
        await bench.reply(exchange(b"GET", b"/a", peer=AMERICAN, host=b"fra.a.example"))
        assert bench.origin.requests[0].host == b"fra.a.example"


async def test_where_redirects_are_only_counted_everybody_is_served(tmp_path: Path):
    async with node_bench(tmp_path, COUNTS, router=router()) as bench:
        for peer in (AMERICAN, AMERICAN, GERMAN, NOBODY):
            assert (await bench.get(peer=peer)).status == 200
        assert bench.counted("perigee_far_requests_total") == {"default": 2}


async def test_a_client_asks_for_json_and_gets_it_also_where_it_may_stay(tmp_path: Path):
    async with node_bench(tmp_path, LEADS, router=router()) as bench:
        far = await bench.get(b"/a?x=1&format=json", peer=AMERICAN)
        near = await bench.get(b"/a?format=json", peer=GERMAN)
        assert (far.status, near.status) == (200, 200)
        assert json.loads(far.body) == {"location": "http://iad.a.example/a?x=1", "to": "iad"}
        assert json.loads(near.body) == {"location": "http://a.example/a"}
        assert near.line(b"cache-control") == b"private, no-store"
        assert bench.origin.requests == []
    quiet = replace(LEADS, redirect=replace(LEADS.redirect, json=False))
    async with node_bench(tmp_path / "quiet", quiet, router=router()) as bench:
        assert (await bench.get(b"/a?format=json", peer=GERMAN)).body == b"body"


async def test_the_client_is_who_a_trusted_proxy_says_and_nobody_else_can_say(tmp_path: Path):
    said = (b"X-Forwarded-For", AMERICAN.encode())
    async with node_bench(tmp_path, LEADS, router=router(), trusted=(PROXY,)) as bench:
        assert (await bench.get(b"/a", said, peer="10.0.0.1")).status == 302
        assert (await bench.get(b"/a", said, peer=GERMAN)).status == 200
        https = (b"X-Forwarded-Proto", b"https")
        answer = await bench.get(b"/a", said, https, peer="10.0.0.1")
        assert answer.line(b"location") == b"https://iad.a.example/a"


async def test_the_better_pop_is_down_so_it_is_served(tmp_path: Path):
    down = router(PopView(POPS[1], Health.DOWN))
    async with node_bench(tmp_path, LEADS, router=down) as bench:
        assert (await bench.get(peer=AMERICAN)).status == 200
        assert bench.counted("perigee_far_requests_total") == {}


async def test_a_country_that_is_not_served_is_sent_to_the_alternate(tmp_path: Path):
    network = routed(deny=frozenset({"JP"}), alternate=b"sorry.example.org")
    async with node_bench(tmp_path, LEADS, router=router(network=network)) as bench:
        answer = await bench.get(peer=JAPANESE)
        assert answer.line(b"location") == b"http://sorry.example.org/a"
        assert bench.counted("perigee_redirects_total") == {"alternate": 1}


async def test_what_a_node_of_ours_asks_for_is_not_led_again(tmp_path: Path):
    async with node_bench(tmp_path, LEADS, router=router()) as bench:
        lines = ((b"Perigee-Authority", b"http a.example 80"), (b"Perigee-Hops", AMERICAN.encode()))
        asked = exchange(b"GET", b"/a", *lines, peer=AMERICAN, tier=True)
        assert (await bench.reply(asked)).status == 200


# --- countries ---


async def test_countries_of_the_key_are_told_apart_and_all_others_are_one(tmp_path: Path):
    async with node_bench(tmp_path, BY_COUNTRY, router=router()) as bench:
        for peer in (GERMAN, AMERICAN, FRENCH):
            bench.origin.says(fresh(peer.encode()))
            await bench.get(peer=peer)
        said = [request.fields.get(b"x-geo-country") for request in bench.origin.requests]
        assert said == [b"DE", b"US", b"other"]
        served = [(await bench.get(peer=peer)).body for peer in (GERMAN, AMERICAN, JAPANESE, NOBODY)]
        assert served == [GERMAN.encode(), AMERICAN.encode(), FRENCH.encode(), FRENCH.encode()]


async def test_a_client_cannot_choose_its_country(tmp_path: Path):
    async with node_bench(tmp_path, BY_COUNTRY, router=router()) as bench:
        await bench.get(b"/a", (b"X-Geo-Country", b"US"), (b"X_Geo_Country", b"US"), peer=GERMAN)
        (request,) = bench.origin.requests
        assert request.fields.all(b"x-geo-country") == (b"DE",)
        assert b"x_geo_country" not in request.fields


async def test_what_is_not_in_the_key_is_not_visible_to_the_origin(tmp_path: Path):
    async with node_bench(tmp_path, router=router()) as bench:
        await bench.get(b"/a", (b"X-Geo-Country", b"US"), peer=GERMAN)
        await bench.ask(b"POST", b"/a", (b"X-Geo-Country", b"US"), peer=GERMAN)
        assert all(b"x-geo-country" not in request.fields for request in bench.origin.requests)


async def test_each_country_by_itself(tmp_path: Path):
    rules = replace(BY_COUNTRY, key=replace(BY_COUNTRY.key, countries=frozenset()))
    async with node_bench(tmp_path, rules, router=router()) as bench:
        for peer in (GERMAN, FRENCH, JAPANESE, NOBODY):
            await bench.get(peer=peer)
        said = [request.fields.get(b"x-geo-country") for request in bench.origin.requests]
        assert said == [b"DE", b"FR", b"JP", b"other"]
