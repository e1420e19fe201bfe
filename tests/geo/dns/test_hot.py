"""Ready answers are those of the strict path, and what is kept is bounded."""

from dataclasses import replace
from ipaddress import ip_address

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.dns.hot import MAX_LOCATED, HotAnswers
from edge.geo.dns.view import View
from edge.settings.dns import DnsSettings, EcsSettings
from tests.kit.nameservers import FREE, LOCAL, Answering, World, view_of

NAMES = (
    "www", "plain", "same", "denied", "x.pages", "y.x.pages", "pages", "many", "alias", "far", "to-route", "dangling",
    "loop1", "none", "a.none", "x.many", "wild", "x.wild", "y.x.wild", "host.wild", "x.host.wild", "x.wild-alias", "deep",
    "b.deep", "a.b.deep", "sub", "x.sub", "ns.sub", "ns1", "mail", "odd", "", "routed-text", "*.wild",
)  # fmt: skip
KINDS = ("A", "AAAA", "TXT", "MX", "ANY", "CNAME", "NS", "SOA", "HTTPS", "AXFR", "TYPE65280", "CAA", "DS")
SUBNETS = (None, ("10.20.30.0", 24), ("10.9.9.0", 24), ("192.0.2.0", 24), ("10.20.0.0", 20), ("0.0.0.0", 0),
           ("2001:db8:7::", 56), ("2001:db8:1:ff00::", 56), ("2001:db8::", 48))  # fmt: skip
SOURCES = tuple(
    ip_address(text).packed for text in ("127.0.0.1", "192.0.2.9", "10.20.30.200", "2001:db8::1", "8.8.8.8")
)
ANSWERING = Answering()


def query(
    name: str, kind: str = "A", *, subnet=None, size: int | None = 1232, flags: int = 0, dnssec: bool = False
) -> bytes:
    options: list[dns.edns.Option] = [dns.edns.ECSOption(*subnet)] if subnet is not None else []
    whole = name if name.endswith(".") else f"{name}.cdn.example.".lstrip(".")
    asked = dns.message.make_query(whole, kind, use_edns=False, flags=flags)
    if size is not None:
        asked.use_edns(0, dns.flags.DO if dnssec else 0, size, options=options)
    return asked.to_wire()


def hot(view: View | None = None, *, udp_size: int = 1232, max_answers: int = 1000) -> HotAnswers[str]:
    return HotAnswers(
        view or view_of(),
        udp_size=udp_size,
        max_answers=max_answers,
        counted=lambda reply: reply.because.value,
        has_cookie=lambda _: False,
    )


SHARED = hot()


@given(
    st.sampled_from(NAMES), st.sampled_from(KINDS), st.sampled_from(SUBNETS), st.sampled_from((None, 512, 1232, 4096)),
    st.sampled_from((0, dns.flags.RD, dns.flags.RD | dns.flags.CD, dns.flags.AD)), st.booleans(), st.sampled_from(SOURCES),
    st.integers(0, 2**40),
)  # fmt: skip
@settings(max_examples=250)
def test_what_is_ready_is_what_the_strict_path_makes(name, kind, subnet, size, flags, dnssec, source, case):
    asked = bytearray(query(name, kind, subnet=subnet, size=size, flags=flags, dnssec=dnssec))
    end = asked.index(0, 12)
    for at in range(12, end):  # 0x20: any letter of the name may be of any case
        if case >> (at - 12) & 1 and 97 <= asked[at] <= 122:
            asked[at] -= 32
    found = SHARED.answer(bytes(asked), source)
    strict = ANSWERING.responder._strict(bytes(asked), source, by_tcp=False)
    assert strict is not None
    if found is not None:
        made, _ = found
        assert dns.message.from_wire(made) == dns.message.from_wire(strict)
        assert made[: end + 5] == strict[: end + 5]
        read = dns.message.from_wire(made)
        again = dns.message.from_wire(strict)
        assert (read.flags, read.rcode(), read.ednsflags, read.payload) == (
            again.flags, again.rcode(), again.ednsflags, again.payload,
        )  # fmt: skip
        assert [each.to_wire() for each in read.options] == [each.to_wire() for each in again.options]
        assert [[*each] for each in read.answer] == [
            [*each] for each in again.answer
        ]  # the order of addresses, too


READY = [
    ("www", "A"), ("www", "AAAA"), ("www", "TXT"), ("x.pages", "A"), ("many", "A"), ("none", "A"), ("y.none", "HTTPS"),
    ("x.wild", "A"), ("x.wild", "MX"), ("alias", "A"), ("", "SOA"), ("far", "A"), ("to-route", "A"), ("www", "ANY"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), READY)
@pytest.mark.parametrize("subnet", [None, ("10.9.9.0", 24), ("2001:db8:7::", 56)])
def test_the_usual_questions_have_ready_answers(name: str, kind: str, subnet: tuple[str, int] | None):
    assert hot().answer(query(name, kind, subnet=subnet), LOCAL) is not None
    if subnet is None:
        assert hot().answer(query(name, kind, size=None), LOCAL) is not None


STRICT = [
    ("another subnet", query("www", subnet=("10.20.0.0", 20))),
    ("two options", query("www", subnet=("10.9.9.0", 24))[:-11] + b"\0\x0f\0\x08\0\x07\0\x01\x18\0\x0a\x09\x09\0\x99\0\0"),
    ("an unknown type", query("www", "TYPE65281")),
    ("a name that is not ours", query("www.example.")),
    ("beyond a cut", query("x.sub")),
    ("type 0", query("none", "TYPE0")),
    ("type OPT", query("none", "TYPE41")),
    ("a transfer", query("none", "IXFR")),
    ("an alias back below the wildcard", query("x.wild-alias")),
    ("another opcode", query("www")[:2] + b"\x28\0" + query("www")[4:]),
    ("an answer", query("www")[:2] + b"\x80\0" + query("www")[4:]),
    ("octets behind it", query("www", size=None) + b"\0"),
    ("another class", query("www", size=None)[:-1] + b"\3"),
    ("an EDNS version", query("www")[:-5] + b"\1" + query("www")[-4:]),
    ("a label too long", query("none", size=None)[:12] + b"\x40" + b"a" * 64 + query("none", size=None)[17:]),
    ("a zero in a label", query("none", size=None).replace(b"none", b"n\0ne")),
    ("empty", b""),
    ("a header alone", query("www")[:12]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "asked"), STRICT, ids=[row[0] for row in STRICT])
def test_what_is_odd_is_left_to_the_strict_path(what: str, asked: bytes):
    assert hot().answer(asked, LOCAL) is None


def test_every_prefix_of_a_query_is_left_to_the_strict_path():
    asked = query("www", subnet=("10.9.9.0", 24))
    ready = hot()
    assert ready.answer(asked, LOCAL) is not None
    for size in range(len(asked)):
        assert ready.answer(asked[:size], LOCAL) is None, size


def test_an_answer_is_placed_once_for_each_bucket():
    world = World()
    ready = hot(view_of(world))
    for each in range(50):
        ready.answer(query("www", subnet=(f"10.9.{each}.0", 24)), LOCAL)
        ready.answer(query("www", subnet=("10.20.30.0", 24)), LOCAL)
    assert world.placed == [("www", 2), ("www", 3)]
    assert len(world.located) == 2


def test_a_bucket_is_told_apart_by_the_whole_network():
    ready = hot()
    answers = {
        (ready.answer(query("www", subnet=(network, 24)), LOCAL) or (b"", None))[0][-12:]
        for network in ("10.20.30.0", "192.0.2.0", "10.9.9.0")
    }
    assert len(answers) == 3


def test_a_wildcard_that_is_asked_for_by_its_own_name_is_not_what_stands_for_others():
    ready = hot()
    for name in ("*.wild", "x.wild", "*.wild"):
        for kind in ("A", "MX"):
            asked = query(name, kind)
            found = ready.answer(asked, LOCAL)
            strict = ANSWERING.responder._strict(asked, LOCAL, by_tcp=False)
            assert found is not None and strict is not None
            assert dns.message.from_wire(found[0]) == dns.message.from_wire(strict)


def test_over_the_bound_answers_are_made_anew_each_time():
    world = World()
    ready = hot(view_of(world), max_answers=2)
    for _ in range(3):
        for network in ("10.20.30.0", "192.0.2.0", "10.9.9.0"):
            assert ready.answer(query("www", subnet=(network, 24)), LOCAL) is not None
    assert ready.kept == 2
    assert len(world.placed) == 1 + 2 * 3


def test_names_that_do_not_exist_are_not_kept():
    ready = hot()
    for each in range(100):
        ready.answer(query(f"x{each}"), LOCAL)
        ready.answer(query(f"x{each}.wild"), LOCAL)
    assert ready.kept == 1


@pytest.mark.slow
def test_networks_are_remembered_up_to_a_bound():
    fine = {f"10.{each}.0.0/30": each for each in range(1, 256)}  # nothing is known of a block as a whole
    ready = hot(view_of(World({"0.0.0.0/0": 300, **fine})))
    for each in range(MAX_LOCATED + 2):
        ready._where((0x0A000000 + (each << 8 | each >> 16)).to_bytes(4, "big"))
    assert 0 < len(ready._v4) <= MAX_LOCATED


def test_what_holds_for_a_block_is_asked_once():
    world = World()
    ready = hot(view_of(world))
    for each in range(1, 100):
        ready.answer(query("www", subnet=(f"10.9.{each}.0", 24)), LOCAL)
        ready.answer(query("www"), ip_address(f"10.9.3.{each}").packed)
        ready.answer(query("www", subnet=(f"2001:db8:7:{each:x}00::", 56)), LOCAL)
    assert len(world.located) == 2


def test_what_is_known_of_a_subnet_says_nothing_of_a_resolver_in_it():
    world = World({"192.0.2.128/25": 8, "0.0.0.0/0": 9})
    ready = hot(view_of(world))

    def told(source: str, subnet: tuple[str, int] | None = None) -> str:
        found = ready.answer(query("www", subnet=subnet), ip_address(source).packed)
        assert found is not None
        return found[1].reply.pop

    for _ in range(2):
        assert told("127.0.0.1", ("192.0.2.0", 24)) == "pop9"
        assert told("192.0.2.200") == "pop8"
        assert told("192.0.2.100") == "pop9"


def test_by_tcp_the_size_of_edns_does_not_count():
    text = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.other.\n" + "".join(
        f"big 60 A 10.0.{each}.1\n" for each in range(200)
    )
    from tests.kit.nameservers import zone_of

    ready = hot(view_of(None, zone_of(text, routes=())))
    assert ready.answer(query("big"), LOCAL) is None
    made = ready.answer(query("big"), LOCAL, by_tcp=True)
    assert made is not None
    assert len(dns.message.from_wire(made[0]).answer[0]) == 200


@pytest.mark.parametrize("ecs", [EcsSettings(enabled=False), EcsSettings(max_v4=20)])
def test_where_a_24_is_too_fine_the_strict_path_answers(ecs: EcsSettings):
    assert hot(view_of(None, ecs=ecs)).answer(query("www", subnet=("10.9.9.0", 24)), LOCAL) is None


def test_settings_of_a_finer_subnet_keep_to_the_strict_paths_answers():
    ecs = EcsSettings(max_v4=32, max_v6=64)
    strict = Answering(replace(DnsSettings(), rate=FREE, ecs=ecs), view_of(None, ecs=ecs)).responder
    for subnet in (("10.20.30.0", 24), ("2001:db8:1:ff00::", 56)):
        asked = query("www", subnet=subnet)
        found = hot(view_of(None, ecs=ecs)).answer(asked, LOCAL)
        assert found is not None
        assert found[0] == strict._strict(asked, LOCAL, by_tcp=False)
