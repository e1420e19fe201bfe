"""A new database makes a new atlas; a bad one makes noise and nothing else."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.geo.atlas import Atlas
from edge.geo.keeper import AtlasKeeper
from edge.settings.network import GeoSettings, PlaceOverride
from tools.mmdb import mmdb_bytes

DE, FR = (mmdb_bytes({"192.0.2.0/24": {"country_code": country}}) for country in ("DE", "FR"))
IT = mmdb_bytes({"198.51.100.0/24": {"country_code": "IT"}})


class Bench:
    def __init__(self, folder: Path) -> None:
        self.file, self.other = folder / "a.mmdb", folder / "b.mmdb"
        self.settings = GeoSettings(
            databases=(self.file, self.other),
            overrides={ip_network("192.0.2.9/32"): PlaceOverride(country="AT")},
        )
        self.folder = folder / "data"
        self.put(self.file, DE)
        self.put(self.other, IT)

    def put(self, file: Path, data: bytes) -> None:
        made = file.with_suffix(".new")
        made.write_bytes(data)
        made.replace(file)

    def keeper(self) -> AtlasKeeper:
        keeper = AtlasKeeper(self.settings, self.folder)
        keeper.refresh()
        return keeper


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def countries(keeper: AtlasKeeper) -> list[str | None]:
    return [keeper.atlas.locate(address).country for address in ("192.0.2.1", "198.51.100.1", "192.0.2.9")]


def test_all_databases_are_in_the_atlas_with_the_overrides(bench: Bench):
    keeper = bench.keeper()
    assert countries(keeper) == ["DE", "IT", "AT"]
    assert (keeper.generation, keeper.complaints, len(keeper.databases)) == (1, (), 2)


def test_before_the_first_look_only_overrides_are_known(bench: Bench):
    assert countries(AtlasKeeper(bench.settings, bench.folder)) == [None, None, "AT"]


def test_a_replaced_database_makes_a_new_atlas_and_leaves_the_old_one_whole(bench: Bench):
    keeper = bench.keeper()
    old = keeper.atlas
    assert keeper.refresh() is False
    bench.put(bench.file, FR)
    assert keeper.refresh() is True
    assert (countries(keeper), keeper.generation) == (["FR", "IT", "AT"], 2)
    assert old.locate("192.0.2.1").country == "DE"


def test_a_file_that_was_only_touched_changes_nothing(bench: Bench):
    keeper = bench.keeper()
    os.utime(bench.file, ns=(1, 1))
    assert keeper.refresh() is False
    assert keeper.generation == 1


@pytest.mark.parametrize(
    "data", [FR[:100], b"", b"\0" * 5000, None], ids=["cut", "empty", "zeros", "removed"]
)
def test_a_bad_database_leaves_the_old_one_in_use_and_is_said_until_it_is_good(
    bench: Bench, data: bytes | None
):
    keeper = bench.keeper()
    bench.file.unlink()
    if data is not None:
        bench.file.write_bytes(data)
    assert keeper.refresh() is False
    [said] = keeper.complaints
    assert said.startswith(f"{bench.file}: ")
    assert said.endswith("; the one before it stays in use")
    assert countries(keeper) == ["DE", "IT", "AT"]
    assert keeper.refused == 1
    assert keeper.refresh() is False
    assert keeper.refused == 1  # it is not read again before it changes
    bench.put(bench.file, FR)
    assert keeper.refresh() is True
    assert countries(keeper) == ["FR", "IT", "AT"]
    assert not keeper.complaints


def test_a_good_file_that_is_put_back_ends_the_complaint(bench: Bench):
    keeper = bench.keeper()
    bench.file.rename(bench.file.with_suffix(".away"))
    keeper.refresh()
    assert "there is no such file" in "".join(keeper.complaints)
    bench.file.with_suffix(".away").rename(bench.file)
    assert keeper.refresh() is False
    assert not keeper.complaints


def test_at_the_start_the_last_good_copy_stands_in_for_a_bad_file(bench: Bench):
    bench.keeper()
    bench.file.write_bytes(b"damaged")
    keeper = bench.keeper()
    assert countries(keeper) == ["DE", "IT", "AT"]
    assert keeper.complaints[0].endswith("; the one before it stays in use")


def test_a_network_without_its_database_starts_and_says_so(bench: Bench):
    bench.file.unlink()
    keeper = bench.keeper()
    assert countries(keeper) == [None, "IT", "AT"]
    assert keeper.complaints[0].endswith("; nobody's place is known from it")


def test_look_ups_go_on_while_databases_are_replaced_removed_and_damaged(bench: Bench):
    keeper = bench.keeper()
    stop, wrong = threading.Event(), []

    def look_up() -> None:
        while not stop.is_set():
            found = keeper.atlas.locate("192.0.2.1").country
            if found not in {"DE", "FR"}:
                wrong.append(found)

    reader = threading.Thread(target=look_up)
    reader.start()
    for turn in range(30):
        data = (FR, DE, FR[:200], b"")[turn % 4]
        if turn % 3:
            bench.put(bench.file, data)
        else:
            bench.file.write_bytes(data)  # in place
        if turn % 5 == 4:
            bench.file.unlink()
        keeper.refresh()
    stop.set()
    reader.join(10)
    assert (wrong, keeper.atlas.failures) == ([], 0)
    assert keeper.generation > 5


async def test_changes_are_looked_for_and_told(bench: Bench):
    keeper = AtlasKeeper(replace(bench.settings, reload=0.01), bench.folder)
    told: list[Atlas] = []
    made = asyncio.Event()

    def then(atlas: Atlas) -> None:
        told.append(atlas)
        made.set()

    keeping = asyncio.ensure_future(keeper.keep(then))
    async with asyncio.timeout(5):
        await made.wait()
    bench.put(bench.file, FR)
    made.clear()
    async with asyncio.timeout(5):
        await made.wait()
    keeping.cancel()
    assert told[-1] is keeper.atlas
    assert countries(keeper)[0] == "FR"


async def test_who_does_not_want_reloads_gets_none(bench: Bench):
    keeper = AtlasKeeper(replace(bench.settings, reload=None), bench.folder)
    await keeper.keep(lambda _: None)
    assert keeper.generation == 0
