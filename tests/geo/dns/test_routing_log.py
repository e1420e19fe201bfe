"""Lines of the routing log."""

import dns.edns
import dns.message
import pytest

from edge.geo.dns.routing_log import routing_line
from tests.kit.nameservers import LOCAL, Answering

NOW = 1_795_478_400.25


def lines(name: str, kind: str = "A", *options: dns.edns.Option) -> list[dict[str, str]]:
    dns_server = Answering()
    asked = dns.message.make_query(f"{name}.cdn.example.", kind, use_edns=0, options=list(options))
    dns_server.ask(asked, bytes((192, 0, 2, 9)))
    dns_server.responder.by_tcp(asked.to_wire(), LOCAL)
    made = [routing_line(each, NOW).decode("ascii") for each in dns_server.recorded]
    assert all(line.startswith("2026-11-24T00:00:00.250Z ") and line.endswith("\n") for line in made)
    return [dict(word.partition("=")[::2] for word in line.split()[1:]) for line in made]


def test_a_line_says_who_was_sent_where_and_why():
    udp, tcp = lines("www", "A", dns.edns.ECSOption("10.9.9.0", 24))
    assert udp == {
        "qtype": "DNS", "net": "udp", "chi": "10.9.9.0/24", "rhi": "192.0.2.9", "fqdn": "www.cdn.example.", "type": "A",
        "rcode": "NOERROR", "rtype": "routed", "rloc": "pop2", "rdtl": "nearest", "ttl": "30", "ans": udp["ans"],
    }  # fmt: skip
    assert sorted(udp["ans"].split(",")) == ["198.51.100.21", "198.51.100.22"]
    assert (tcp["net"], tcp["rhi"]) == ("tcp", "127.0.0.1")


def test_without_a_subnet_the_resolver_is_the_client():
    udp, _ = lines("www")
    assert (udp["chi"], udp["rhi"]) == ("192.0.2.9", "-")


def test_an_alias_is_followed_to_the_addresses():
    assert lines("to-route")[0]["ans"].startswith("198.51.100.")


@pytest.mark.parametrize("label", [r"a\032b", r"a\010b", r"a\061\061", "a=b"])
def test_a_name_cannot_forge_anything(label: str):
    for line in lines(f"{label}.pages"):
        assert list(line)[4:6] == ["fqdn", "type"]
        assert line["fqdn"].isprintable()
