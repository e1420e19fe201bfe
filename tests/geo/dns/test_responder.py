"""From octets to octets: cookies, rates, odd queries, and that nothing gets through that should not."""

import random
from dataclasses import replace
from ipaddress import ip_address

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from edge.geo.dns.names import name_of
from edge.geo.dns.view import Located, Placed
from edge.settings.dns import DnsSettings, EcsSettings, RateSettings
from tests.kit.nameservers import FREE, LOCAL, Answering, World, view_of, zone_of

CLIENT = b"8 octets"
ELSEWHERE = ip_address("203.0.113.7").packed


def query(name: str = "www", kind: str = "A", *options: dns.edns.Option, **said) -> dns.message.Message:
    return dns.message.make_query(f"{name}.cdn.example.", kind, use_edns=0, options=list(options), **said)


def cookie_of(message: dns.message.Message) -> bytes:
    return b"".join(option.to_wire() or b"" for option in message.options if option.otype == 10)


def cookie(value: bytes) -> dns.edns.Option:
    return dns.edns.GenericOption(dns.edns.OptionType.COOKIE, value)


# -- cookies --


def test_who_sends_a_cookie_gets_ours_and_sends_it_back():
    dns_server = Answering()
    first = dns_server.ask(query("www", "A", cookie(CLIENT)))
    whole = cookie_of(first)
    assert whole[:8] == CLIENT
    assert len(whole) == 24
    for _ in range(2):  # the second one is ready
        again = dns_server.ask(query("www", "A", cookie(whole)))
        assert cookie_of(again) == whole
        assert again.answer == first.answer
    assert dns_server.counted("perigee_dns_cookies_total") == {"new": 1, "valid": 2}
    assert dns_server.measures.strict.value == 2


def test_without_a_cookie_there_is_none_in_the_answer():
    assert cookie_of(Answering().ask(query())) == b""


@pytest.mark.parametrize("name", ["www", "none", "www.other"])
def test_a_cookie_of_another_is_replaced(name: str):
    dns_server = Answering()
    whole = cookie_of(dns_server.ask(query("www", "A", cookie(CLIENT)), ELSEWHERE))
    answer = dns_server.ask(query(name, "A", cookie(whole)))
    assert cookie_of(answer)[:8] == CLIENT
    assert cookie_of(answer) != whole


def test_a_cookie_that_was_verified_is_looked_at_again_after_a_while():
    dns_server = Answering()
    whole = cookie_of(dns_server.ask(query("www", "A", cookie(CLIENT))))
    dns_server.ask(query("www", "A", cookie(whole)))
    dns_server.clock.advance(1900)
    dns_server.responder.tick()
    renewed = cookie_of(dns_server.ask(query("www", "A", cookie(whole))))
    assert renewed != whole
    assert renewed[:8] == CLIENT


def test_a_cookie_may_be_asked_for_alone():
    asked = dns.message.Message(id=7)
    asked.use_edns(0, options=[cookie(CLIENT)])
    answer = Answering().ask(asked)
    assert (answer.rcode(), answer.question, len(cookie_of(answer))) == (dns.rcode.NOERROR, [], 24)


# -- rates --

TIGHT = DnsSettings(rate=RateSettings(responses=2, errors=1, window=1.0, slip=2))


def test_over_the_rate_every_second_one_is_told_to_come_by_tcp():
    dns_server = Answering(TIGHT)
    made = [dns_server.responder.by_udp(query().to_wire(), LOCAL) for _ in range(6)]
    assert [None if each is None else bool(each[2] & 2) for each in made] == [
        False,
        False,
        None,
        True,
        None,
        True,
    ]
    slipped = dns.message.from_wire(made[3] or b"")
    assert (slipped.answer, slipped.rcode()) == ([], dns.rcode.NOERROR)
    assert dns_server.counted("perigee_dns_limited_total") == {"dropped": 2, "slip": 2}
    assert dns_server.counted("perigee_dns_dropped_total") == {"rate": 2}


@pytest.mark.parametrize("kind", ["A", "TYPE65281"])  # ready, and strict
def test_errors_have_less(kind: str):
    dns_server = Answering(TIGHT)
    made = [dns_server.responder.by_udp(query("none", kind).to_wire(), LOCAL) for _ in range(3)]
    assert [each is None or bool(each[2] & 2) for each in made] == [False, True, True]


def test_another_network_and_tcp_are_not_touched():
    dns_server = Answering(TIGHT)
    for _ in range(10):
        dns_server.responder.by_udp(query().to_wire(), LOCAL)
    assert dns_server.ask(query(), ELSEWHERE).answer
    for _ in range(10):
        assert dns.message.from_wire(dns_server.responder.by_tcp(query().to_wire(), LOCAL) or b"").answer


def test_who_is_exempt_is_not_limited():
    dns_server = Answering(TIGHT, exempt=frozenset((LOCAL,)))
    assert all(dns_server.ask(query()).answer for _ in range(10))


def test_who_shows_our_cookie_is_not_limited():
    dns_server = Answering(TIGHT)
    whole = cookie_of(dns_server.ask(query("www", "A", cookie(CLIENT))))
    assert all(dns_server.ask(query("www", "A", cookie(whole))).answer for _ in range(20))
    assert all(dns_server.ask(query("www", "TYPE65281", cookie(whole))).rcode() == 0 for _ in range(20))


@pytest.mark.parametrize("kind", ["A", "TYPE65281"])
def test_who_has_a_cookie_of_its_own_is_told_ours_when_it_is_over_the_rate(kind: str):
    dns_server = Answering(replace(TIGHT, rate=replace(TIGHT.rate, slip=1)))
    answers = [dns_server.ask(query("www", kind, cookie(CLIENT))) for _ in range(3)]
    assert answers[2].rcode() == dns.rcode.BADCOOKIE
    whole = cookie_of(answers[2])
    assert dns_server.ask(query("www", kind, cookie(whole))).rcode() == dns.rcode.NOERROR


def test_what_goes_out_over_the_rate_is_no_longer_than_what_came_in():
    dns_server = Answering(replace(TIGHT, rate=replace(TIGHT.rate, slip=1)))
    asked = query().to_wire()
    made = [dns_server.responder.by_udp(asked, LOCAL) or b"" for _ in range(5)]
    assert len(made[4]) <= len(asked)


@pytest.mark.parametrize(("name", "kind"), [("www", "A"), ("none", "A"), ("www", "ANY"), ("", "SOA")])
def test_no_answer_is_three_times_as_long_as_its_question(name: str, kind: str):
    asked = dns.message.make_query(f"{name}.cdn.example.".lstrip("."), kind, use_edns=0).to_wire()
    made = Answering().responder.by_udp(asked, LOCAL)
    assert made is not None
    assert len(made) <= 3 * len(asked)


# -- views, faults, odd queries --


def test_a_new_view_changes_every_answer_at_once():
    dns_server = Answering()
    old = dns_server.ask(query())
    dns_server.responder.show(view_of(World({"127.0.0.0/8": 9})))
    assert dns_server.ask(query()).answer != old.answer
    assert dns_server.measures.views.value == 2


def test_new_settings_are_in_force_at_once():
    dns_server = Answering()
    settings = DnsSettings(rate=FREE, udp_size=512)
    dns_server.responder.apply(settings, view_of(), [b"another secret!!"])
    assert dns_server.ask(query()).payload == 512


class Broken(World):
    def place(self, site: str, bucket: int) -> Placed:
        raise RuntimeError("a fault of ours")


def test_a_bound_that_is_met_is_counted():
    settings = DnsSettings(rate=RateSettings(networks=1), max_answers=1)
    dns_server = Answering(settings)
    for name in ("www", "many"):
        dns_server.ask(query(name))
        dns_server.ask(query(name), ELSEWHERE)
    told = dns_server.counted("perigee_dns_bound_reached_total")
    assert told == {"dns.max_answers": 4, "dns.rate.networks": 2}


def test_a_fault_of_ours_is_servfail_and_in_the_log(caplog):
    dns_server = Answering(view=view_of(Broken()))
    answer = dns_server.ask(query(flags=dns.flags.RD))
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert answer.flags & dns.flags.RD
    assert "could not be answered" in caplog.text
    assert dns_server.counted("perigee_dns_dropped_total") == {"failed": 1}
    assert dns_server.responder.by_tcp(query().to_wire(), LOCAL) is not None


def test_a_subnet_is_answered_with_its_scope_or_not_at_all():
    asked = query("www", "A", dns.edns.ECSOption("10.9.9.0", 24))
    options = Answering().ask(asked).options
    assert [(each.to_text()) for each in options] == ["ECS 10.9.9.0/24 scope/12"]
    deaf = EcsSettings(enabled=False)
    assert Answering(DnsSettings(rate=FREE, ecs=deaf), view_of(ecs=deaf)).ask(asked).options == ()


def test_an_answer_that_is_too_long_is_cut_and_whole_by_tcp():
    text = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.other.\n" + "".join(
        f"big 60 A 10.0.{each}.1\n" for each in range(99)
    )
    dns_server = Answering(view=view_of(None, zone_of(text, routes=())))
    assert dns_server.ask(query("big")).flags & dns.flags.TC
    whole = dns.message.from_wire(dns_server.responder.by_tcp(query("big").to_wire(), LOCAL) or b"")
    assert len(whole.answer[0]) == 99
    assert dns_server.measures.truncated.value == 1


BADVERS = query().to_wire()[:-5] + b"\1" + query().to_wire()[-4:]


def test_another_version_is_told_ours():
    made = Answering().responder.by_udp(BADVERS, LOCAL)
    read = dns.message.from_wire(made or b"")
    assert (read.rcode(), read.edns, read.question[0].name.to_text()) == (
        dns.rcode.BADVERS,
        0,
        "www.cdn.example.",
    )


def test_what_was_routed_is_recorded_with_what_it_was_asked():
    dns_server = Answering()
    for name in ("www", "www", "many", "to-route"):
        dns_server.ask(query(name))
    assert [each.reply.pop for each in dns_server.recorded] == ["pop7", "pop7", "pop7"]
    assert dns_server.counted("perigee_dns_answers_total") == {"pop7,routed": 3, ",static": 1}


SEEDS = [
    query("www", "A", dns.edns.ECSOption("10.9.9.0", 24)).to_wire(),
    query("www", "A", dns.edns.ECSOption("2001:db8::", 56), cookie(CLIENT)).to_wire(),
    query("a.b.deep", "TXT", cookie(CLIENT + bytes(16)), want_dnssec=True).to_wire(),
    dns.message.make_query("x.pages.cdn.example.", "AAAA", use_edns=False).to_wire(),
    query("sub", "NS").to_wire(),
    BADVERS,
]


def mutated(octets: bytes, chance: random.Random) -> bytes:
    """The same with a few octets changed, taken out, put in, or doubled."""
    made = bytearray(octets)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(5):
            case 0:
                made[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                del made[at : at + chance.randrange(1, 9)]
            case 2:
                made[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                made[at:at] = made[at : at + chance.randrange(1, 30)]
            case _:
                made[at : at + 1] = bytes((made[at] ^ 1 << chance.randrange(8),)) if at < len(made) else b""
    return bytes(made)


def assert_fit(dns_server: Answering, asked: bytes, made: bytes | None, limit: int) -> None:
    """No answer longer than allowed, none without the query's id, none that a client cannot read."""
    assert dns_server.measures.dropped.of("failed").value == 0, asked.hex()
    if made is not None:
        assert made[:2] == asked[:2], asked.hex()
        assert made[2] & 0x80
        assert len(made) <= limit, asked.hex()
        dns.message.from_wire(made)
    else:
        assert len(asked) < 12 or asked[2] & 0x80, asked.hex()


def hammer(count: int, seed: int) -> None:
    """`count` mutated packets by UDP and by TCP. `python -m tests.geo.dns.test_responder 300000` does more."""
    chance, dns_server = random.Random(seed), Answering()
    for _ in range(count):
        asked = mutated(chance.choice(SEEDS), chance)
        assert_fit(dns_server, asked, dns_server.responder.by_udp(asked, LOCAL), 1232)
        assert_fit(dns_server, asked, dns_server.responder.by_tcp(asked, LOCAL), 65_535)


def test_mutated_packets_do_no_harm():
    hammer(1500, seed=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_prefix_of_a_packet_does_no_harm(seed: bytes):
    dns_server = Answering()
    for size in range(len(seed) + 1):
        assert_fit(dns_server, seed[:size], dns_server.responder.by_udp(seed[:size], LOCAL), 1232)


def test_locating_is_asked_for_whole_addresses_only():
    sizes: list[int] = []

    class Measured(World):
        def locate(self, address: bytes) -> Located:
            sizes.append(len(address))
            return super().locate(address)

    dns_server = Answering(view=view_of(Measured()))
    for subnet in ("10.9.9.0", "2001:db8::"):
        dns_server.ask(query("www", "A", dns.edns.ECSOption(subnet)))
        dns_server.ask(query("www", "A", dns.edns.ECSOption(subnet, 24 if "." in subnet else 56)))
    assert sorted(set(sizes)) == [4, 16]
    assert name_of("www.cdn.example.") in dns_server.view.zones[name_of("cdn.example.")].nodes


if __name__ == "__main__":
    import sys

    hammer(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{sys.argv[1]} packets, each by UDP and by TCP: no exception, nothing too long, no other id")
