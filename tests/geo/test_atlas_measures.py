"""What atlas and keeper counted is in the metrics, and never goes back when they are replaced."""

from __future__ import annotations

from pathlib import Path

from edge.geo.atlas_measures import AtlasMeasures
from edge.geo.keeper import AtlasKeeper
from edge.metrics import Registry, flat
from edge.settings.network import GeoSettings
from tools.mmdb import mmdb_bytes


def put(file: Path, country: str, built: int) -> None:
    made = file.with_suffix(".new")
    made.write_bytes(mmdb_bytes({"192.0.2.0/24": {"country_code": country}}, built=built))
    made.replace(file)


def test_totals_outlive_atlases_and_keepers(tmp_path: Path):
    file, registry = tmp_path / "a.mmdb", Registry()
    measures = AtlasMeasures(registry)
    put(file, "DE", 1_700_000_000)
    keeper = AtlasKeeper(GeoSettings(databases=(file,)), tmp_path / "data")
    keeper.refresh()
    measures.tell(keeper)
    assert flat(registry.snapshot(), "perigee_atlas_database_built_seconds") == {("a.mmdb",): 1_700_000_000}
    keeper.atlas.locate("198.51.100.1")
    put(file, "FR", 1_800_000_000)
    keeper.refresh()
    keeper.atlas.locate("198.51.100.2")
    keeper.atlas.failures += 3
    measures.tell(keeper)
    measures.tell(keeper)
    assert (measures.unknown.value, measures.failures.value) == (2, 3)
    assert flat(registry.snapshot(), "perigee_atlas_database_built_seconds") == {("a.mmdb",): 1_800_000_000}
    file.write_bytes(b"no database")
    keeper.refresh()
    measures.tell(keeper)
    assert (measures.refused.value, measures.complaints.value) == (1, 1)
    put(file, "DE", 1_700_000_000)
    other = AtlasKeeper(GeoSettings(), tmp_path / "data")
    other.atlas.locate("198.51.100.1")
    measures.tell(other)
    assert (measures.unknown.value, measures.refused.value, measures.complaints.value) == (3, 1, 0)
    assert flat(registry.snapshot(), "perigee_atlas_database_built_seconds") == {}


def test_rounded_places_are_counted(tmp_path: Path):
    file, measures = tmp_path / "a.mmdb", AtlasMeasures(Registry())
    places = {f"192.0.{n}.0/24": {"latitude": n + 0.2, "longitude": 0.3} for n in range(4)}
    file.write_bytes(mmdb_bytes(places))
    keeper = AtlasKeeper(GeoSettings(databases=(file,), max_places=2), tmp_path / "data")
    keeper.refresh()
    for n in range(4):
        keeper.atlas.locate(f"192.0.{n}.1")
    measures.tell(keeper)
    assert measures.rounded.value == 3
