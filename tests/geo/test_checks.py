"""Checks of real sockets: what counts as up, and that a node that hangs holds up no round."""

from __future__ import annotations

from edge.geo.checks import Checks
from edge.geo.measures import WatchMeasures
from edge.metrics import Registry
from edge.settings.network import CheckedAddress, HealthSettings, Network, NetworkNode, Pop, Role
from tests.kit.checked import CheckedNodes

SETTINGS = HealthSettings(timeout=0.15, path=b"/readyz?full=1")


def network(nodes: CheckedNodes, settings: HealthSettings = SETTINGS, *, admin: bool = True) -> Network:
    made = tuple(
        NetworkNode(name, "fra", http=node.at, admin=node.at if admin else None)
        for name, node in nodes.items()
    )
    return Network(pops=(Pop("fra"),), nodes=made, health=settings)


async def test_an_admin_address_is_up_with_200_and_down_with_anything_else():
    registry = Registry()
    async with CheckedNodes("ok", "unready", "missing", "hangs", "gone") as nodes:
        for name, status in (("unready", 503), ("missing", 404), ("hangs", None)):
            nodes[name].status = status
        said = network(nodes)
        await nodes["gone"].stop()
        assert await Checks(WatchMeasures(registry)).round(said) == {
            "ok": True,
            "unready": False,
            "missing": False,
            "hangs": False,
            "gone": False,
        }
        assert nodes["ok"].asked == [b"GET /readyz?full=1 HTTP/1.1"]
    cells = registry.snapshot()["perigee_checks_total"]["cells"]
    counted = {cell["values"][0]: cell["value"] for cell in cells}
    assert counted == {"up": 1, "refused": 2, "late": 1, "failed": 1}


async def test_at_an_http_address_whoever_answers_for_himself_is_up():
    async with CheckedNodes("no-such-site", "sends-away", "broken") as nodes:
        for name, status in (("no-such-site", 421), ("sends-away", 302), ("broken", 502)):
            nodes[name].status = status
        expected = {"no-such-site": True, "sends-away": True, "broken": False}
        checks = Checks(WatchMeasures(Registry()))
        assert await checks.round(network(nodes, admin=False)) == expected
        by_http = HealthSettings(timeout=1.0, address=CheckedAddress.HTTP)
        assert await checks.round(network(nodes, by_http)) == expected


async def test_shields_are_not_asked():
    async with CheckedNodes("shield") as nodes:
        shield = NetworkNode("shield", "fra", Role.SHIELD, admin=nodes["shield"].at)
        said = Network(pops=(Pop("fra"),), nodes=(shield,), health=SETTINGS)
        assert await Checks(WatchMeasures(Registry())).round(said) == {}
        assert nodes["shield"].asked == []
