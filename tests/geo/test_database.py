"""A database is opened from a copy that nobody writes, and only when it is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxminddb.extension import Reader

from edge.geo.atlas import Atlas
from edge.geo.database import (
    UNFINISHED,
    BadDatabase,
    Database,
    forget_copies,
    open_database,
    open_last_copy,
)
from edge.settings.reload import stamp_of
from tools.mmdb import mmdb_bytes

MIB = 1024 * 1024
DE: dict[str, dict[str, object]] = {"192.0.2.0/24": {"country_code": "DE"}}
FR: dict[str, dict[str, object]] = {"192.0.2.0/24": {"country_code": "FR"}}


def large(networks: int = 3_000) -> bytes:
    """Some 60 KB, with a record each."""
    return mmdb_bytes(
        {
            f"10.{n >> 8}.{n & 255}.0/24": {"country_code": "DE", "latitude": 50 + n / 1000, "longitude": 8.0}
            for n in range(networks)
        }
    )


LARGE = large()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "db").mkdir()
    file = tmp_path / "db" / "City Test.mmdb"
    file.write_bytes(mmdb_bytes(DE))
    return file


def opened(file: Path) -> Database:
    return open_database(file, file.parent.parent / "copies", max_bytes=MIB)


def country(database: Database) -> str | None:
    return Atlas([database.source]).locate("192.0.2.1").country


def test_what_a_killed_process_left_of_a_copy_is_removed_and_what_another_writes_is_not(file: Path):
    copies = file.parent.parent / "copies"
    copies.mkdir()
    left, written = copies / f"{UNFINISHED}left", copies / f"{UNFINISHED}written"
    for each in (left, written):
        each.write_bytes(b"half a databa")
    os.utime(left, (1_700_000_000, 1_700_000_000))
    used = opened(file)
    assert sorted(copies.iterdir()) == sorted([used.copy, written])


def test_what_is_open_is_a_copy_that_nobody_writes(file: Path):
    database = opened(file)
    assert database.copy.parent == file.parent.parent / "copies"
    assert database.copy.stat().st_mode & 0o777 == 0o444
    assert database.copy.read_bytes() == file.read_bytes()
    assert (database.type, database.networks, database.built) == (
        "Test-City",
        "IPv4 and IPv6",
        1_700_000_000,
    )
    assert list(database.copy.parent.iterdir()) == [database.copy]


def test_look_ups_are_made_in_c(file: Path):
    assert isinstance(opened(file).source.reader, Reader)


@pytest.mark.parametrize("then", ["replaced", "cut", "overwritten", "removed"])
def test_what_happens_to_the_file_afterwards_does_not_matter(file: Path, then: str):
    database = opened(file)
    if then == "replaced":
        (file.parent / "new").write_bytes(mmdb_bytes(FR))
        (file.parent / "new").replace(file)
    elif then == "cut":
        os.truncate(file, 0)
    elif then == "overwritten":
        file.write_bytes(b"\xff" * file.stat().st_size)
    else:
        file.unlink()
    assert country(database) == "DE"


def test_two_who_open_a_file_share_a_copy(file: Path):
    first, second = opened(file), opened(file)
    assert first.copy == second.copy
    assert stamp_of(first.copy) == stamp_of(second.copy)


def test_a_copy_that_was_damaged_is_made_anew(file: Path):
    copy = opened(file).copy
    copy.chmod(0o644)
    copy.write_bytes(b"damaged")
    assert country(opened(file)) == "DE"


def test_older_copies_are_forgotten_and_stay_usable(file: Path):
    old = opened(file)
    file.write_bytes(mmdb_bytes(FR))
    other = file.with_name("other.mmdb")
    other.write_bytes(mmdb_bytes(DE))
    kept, new = opened(other), opened(file)
    forget_copies(new)
    assert {path.name for path in new.copy.parent.iterdir()} == {new.copy.name, kept.copy.name}
    assert (country(old), country(new)) == ("DE", "FR")


def test_the_last_good_copy_is_found_again(file: Path):
    assert open_last_copy(file, file.parent.parent / "copies") is None
    opened(file)
    file.unlink()
    found = open_last_copy(file, file.parent.parent / "copies")
    assert found is not None
    assert country(found) == "DE"
    found.copy.chmod(0o644)
    found.copy.write_bytes(b"damaged")
    assert open_last_copy(file, file.parent.parent / "copies") is None


def wrong_with(file: Path, **bounds: int) -> str:
    with pytest.raises(BadDatabase) as fault:
        open_database(file, file.parent.parent / "copies", max_bytes=bounds.get("max_bytes", MIB))
    left = file.parent.parent / "copies"
    assert not left.exists() or list(left.iterdir()) == []
    assert fault.value.detail.startswith(f"{file}: ")
    return fault.value.detail


def test_what_cannot_be_used_is_said(file: Path):
    assert "bytes are more than geo.max_database allows (100)" in wrong_with(file, max_bytes=100)
    file.write_bytes(mmdb_bytes({"192.0.2.0/24": {"autonomous_system_number": 64_500}}, database_type="ASN"))
    assert "it is a ASN database and has neither countries nor coordinates" in wrong_with(file)
    file.write_bytes(b"")
    assert "it is no MaxMind DB file" in wrong_with(file)
    file.unlink()
    assert "there is no such file; `perigee geo fetch` gets a free one" in wrong_with(file)
    file.mkdir()
    assert "there is no such file" in wrong_with(file)


def test_a_folder_that_cannot_be_written_is_said(file: Path):
    (file.parent / "in the way").write_text("")
    with pytest.raises(BadDatabase, match="cannot be read or copied"):
        open_database(file, file.parent / "in the way" / "copies", max_bytes=MIB)


@pytest.mark.parametrize("size", range(0, len(LARGE), 4096))
def test_a_file_that_was_cut_is_refused(file: Path, size: int):
    file.write_bytes(LARGE[:size])
    assert "it is no MaxMind DB file" in wrong_with(file)


@given(
    st.lists(
        st.tuples(st.integers(0, len(LARGE) - 1), st.binary(min_size=1, max_size=64)), min_size=1, max_size=5
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore:PyUnicode_FromStringAndSize")
def test_random_bytes_in_a_file_are_refused_or_harmless(file: Path, damages: list[tuple[int, bytes]]):
    data = bytearray(LARGE)
    for at, noise in damages:
        data[at : at + len(noise)] = noise
    file.write_bytes(data)
    try:
        database = opened(file)
    except BadDatabase:
        return
    atlas = Atlas([database.source])
    for n in range(0, 3_000, 7):
        atlas.locate(bytes([10, n >> 8, n & 255, 1]))
    atlas.locate("2001:db8::1")


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_before_sound_metadata_are_refused_or_harmless(file: Path, noise: bytes):
    file.write_bytes(noise + LARGE[LARGE.rindex(b"\xab\xcd\xefMaxMind.com") :])
    with pytest.raises(BadDatabase):
        opened(file)


def test_a_reader_of_a_file_that_is_cut_in_place_dies_and_ours_does_not(file: Path, tmp_path: Path):
    """Why there is a copy: this is what happens without one."""
    file.write_bytes(LARGE)
    script = """
import os, sys
from pathlib import Path
import maxminddb
from edge.geo.atlas import Atlas
from edge.geo.database import open_database
file, ours = Path(sys.argv[1]), sys.argv[2] == "copy"
if ours:
    reader = open_database(file, file.parent / "copies", max_bytes=1 << 20).source.reader
else:
    reader = maxminddb.open_database(file)
os.truncate(file, 0)
print(reader.get("10.3.4.5"))
"""
    ends = [
        subprocess.run([sys.executable, "-c", script, file, how], capture_output=True, check=False).returncode
        for how in ("mapped", "copy")
        if file.write_bytes(LARGE)
    ]
    assert ends == [-7, 0]  # SIGBUS
