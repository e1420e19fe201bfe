"""`perigee geo lookup` and `explain`: where an address is, and why it gets which POP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.errors import ConfigFault, EdgeError, UpstreamFault
from edge.geo.database import BadDatabase
from edge.settings.network_file import load_network
from tools.geo import WhatIf, explain, explain_from, lookup, supposed
from tools.mmdb import mmdb_bytes

NETWORK = """
[[region]]
name = "eu"
[[pop]]
name = "fra"
region = "eu"
latitude = 50.11
longitude = 8.68
addresses = ["192.0.2.1", "2001:db8::1"]
[[pop]]
name = "ams"
region = "eu"
latitude = 52.37
longitude = 4.9
bias = 10
addresses = ["192.0.2.2"]
[[route]]
site = "shop"
hosts = ["shop.example.net"]
deny = ["RU"]
alternate = "sorry.example.net"
[geo]
databases = ["city.mmdb"]
overrides = { "198.51.100.0/24" = "pop:ams" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    records: dict[str, dict[str, object]] = {
        "203.0.113.0/24": {"country_code": "DE", "latitude": 48.14, "longitude": 11.58},
        "192.0.2.0/24": {"country": {"iso_code": "RU"}},
        "2001:db8::/32": {"country": {"iso_code": "FR"}},
    }
    (tmp_path / "city.mmdb").write_bytes(mmdb_bytes(records))
    file = tmp_path / "network.toml"
    file.write_text(NETWORK)
    return file


def looked_up(capsys: pytest.CaptureFixture[str], config: Path | None, *addresses: str, **more: Any) -> Any:
    assert lookup(addresses, config, more.get("databases", []), to_json=True) == 0
    return json.loads(capsys.readouterr().out)


def test_each_address_is_looked_up(config: Path, capsys: pytest.CaptureFixture[str]):
    munich, paris, written, nobody = looked_up(
        capsys, config, "203.0.113.9", "2001:db8::1", "198.51.100.1", "9.9.9.9"
    )
    assert munich == {
        "address": "203.0.113.9",
        "network": "203.0.113.0/24",
        "country": "DE",
        "latitude": 48.14,
        "longitude": 11.58,
        "source": "coordinates",
        "pop": None,
    }
    assert (paris["country"], paris["network"], paris["source"]) == ("FR", "2001:db8::/32", "country")
    assert (written["pop"], written["source"]) == ("ams", "override")
    assert (nobody["country"], nobody["source"]) == (None, "unknown")


def test_a_database_may_be_named_instead(config: Path, capsys: pytest.CaptureFixture[str]):
    database = config.with_name("city.mmdb")
    [found] = looked_up(capsys, None, "203.0.113.9", databases=[database])
    assert found["country"] == "DE"


def test_people_get_a_table(config: Path, capsys: pytest.CaptureFixture[str]):
    assert lookup(["203.0.113.9", "9.9.9.9"], config, [], to_json=False) == 0
    head, munich, nobody = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["address", "network", "country"]
    assert munich.split()[:4] == ["203.0.113.9", "203.0.113.0/24", "DE", "48.14"]
    assert "unknown" in nobody


def test_what_was_asked_wrongly_is_said(config: Path, tmp_path: Path):
    with pytest.raises(ConfigFault, match="there is no database to look into; say --database"):
        lookup(["9.9.9.9"], None, [], to_json=True)
    with pytest.raises(ConfigFault, match="'nonsense' is no IP address"):
        lookup(["nonsense"], config, [], to_json=True)
    with pytest.raises(BadDatabase, match="there is no such file"):
        lookup(["9.9.9.9"], None, [tmp_path / "none.mmdb"], to_json=True)
    with pytest.raises(ConfigFault, match="routes no site 'other'; known: shop"):
        explain("9.9.9.9", "other", config, WhatIf(), to_json=True)


def said(
    capsys: pytest.CaptureFixture[str], config: Path, address: str, what_if: WhatIf = WhatIf()
) -> dict[str, Any]:
    assert explain(address, "shop", config, what_if, to_json=True) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_choice_is_explained(config: Path, capsys: pytest.CaptureFixture[str]):
    found = said(capsys, config, "203.0.113.9")
    assert found["chosen"] in {"fra", "ams"}
    assert found["reasons"] == ["spread"]
    assert found["scope"] == 24
    assert {pop["pop"]: round(pop["kilometres"]) for pop in found["pops"]} == {"fra": 304, "ams": 668}
    assert sum(pop["clients"] for pop in found["pops"]) == 1.0
    assert all(pop["clients"] for pop in found["pops"])


@pytest.mark.parametrize(
    "what_if, chosen, reasons",
    [
        (WhatIf(down=("fra",)), "ams", ["only", "down"]),
        (WhatIf(drain=("fra",)), "ams", ["only", "draining"]),
        (WhatIf(shed=("fra=1",)), "ams", ["only", "full"]),
        (WhatIf(down=("fra", "ams")), None, ["spread", "all-down"]),
    ],
)
def test_it_is_said_what_would_be_if(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    what_if: WhatIf,
    chosen: str | None,
    reasons: list[str],
):
    found = said(capsys, config, "203.0.113.9", what_if)
    assert found["reasons"] == reasons
    if chosen is not None:
        assert found["chosen"] == chosen


def test_who_is_not_served_is_explained(config: Path, capsys: pytest.CaptureFixture[str]):
    found = said(capsys, config, "192.0.2.9")
    assert (found["chosen"], found["alternate"]) == (None, "sorry.example.net")
    assert found["reasons"] == ["alternate"]


@pytest.mark.parametrize(
    "address, lines",
    [
        (
            "198.51.100.1",
            ["ams: 192.0.2.2", "override: An override names this POP", "scope /24 and the TTL 30 s"],
        ),
        ("192.0.2.9", ["sent to sorry.example.net", "alternate: The client's country is not served"]),
        ("9.9.9.9", ["no country, nobody knows where (known by unknown)", "default-order: "]),
    ],
)
def test_people_are_told_in_sentences(
    config: Path, capsys: pytest.CaptureFixture[str], address: str, lines: list[str]
):
    assert explain(address, "shop", config, WhatIf(), to_json=False) == 0
    told = capsys.readouterr().out
    assert [line for line in lines if line not in told] == []


@asynccontextmanager
async def serving(answer: dict[str, object], status: int = 200) -> AsyncIterator[str]:
    """What the admin address of a DNS server says."""

    async def explain_(request: web.Request) -> web.Response:
        assert dict(request.query) == {"address": "203.0.113.9", "site": "shop"}
        return web.json_response(answer, status=status)

    app = web.Application()
    app.add_routes([web.get("/explain", explain_)])
    async with TestServer(app) as server:
        yield str(server.make_url(""))


async def test_a_running_server_explains_in_the_same_words(config: Path, capsys: pytest.CaptureFixture[str]):
    for to_json in (True, False):
        explain("203.0.113.9", "shop", config, WhatIf(down=("ams",)), to_json=to_json)
    offline = capsys.readouterr().out
    live: dict[str, object] = json.loads(offline.splitlines()[0])
    async with serving({"workers": [{"index": 0, **live}]}) as admin:
        for to_json in (True, False):
            await asyncio.to_thread(
                lambda: explain_from("203.0.113.9", "shop", admin, to_json=to_json)  # noqa: B023  # awaited
            )
    told = capsys.readouterr().out
    assert json.loads(told.splitlines()[0]) == {"index": 0, **live}
    assert told.splitlines()[1:] == offline.splitlines()[1:]


@pytest.mark.parametrize(
    ("answer", "status", "fault", "words"),
    [
        ({"error": "no site 'shop' is routed here; known: blog"}, 400, ConfigFault, "known: blog"),
        ({"workers": [{"index": 0, "held": []}]}, 200, UpstreamFault, "explains no routes"),
        ({"error": "no worker answers"}, 503, UpstreamFault, "no worker answers"),
    ],
)
async def test_what_a_running_server_cannot_explain_is_said(
    answer: dict[str, object], status: int, fault: type[EdgeError], words: str
):
    async with serving(answer, status) as admin:
        with pytest.raises(fault, match=words):
            await asyncio.to_thread(lambda: explain_from("203.0.113.9", "shop", admin, to_json=True))


def test_an_address_of_a_server_that_is_none_is_said():
    with pytest.raises(ConfigFault, match="--from"):
        explain_from("203.0.113.9", "shop", "nonsense", to_json=True)


def test_what_cannot_be_supposed_is_said(config: Path):
    network = load_network(config)
    with pytest.raises(ConfigFault, match="there is no POP 'x'; known: fra, ams"):
        supposed(network, WhatIf(down=("x",)))
    for text in ("fra", "fra=2", "fra=much"):
        with pytest.raises(ConfigFault, match="is no share"):
            supposed(network, WhatIf(shed=(text,)))
