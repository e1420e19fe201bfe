"""The Disk subclass: bytes in, bytes out, and nothing that diskcache's own would do besides."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from edge.store.nopickle import ForeignRow, NoPickleDisk
from edge.store.record import InlineBody, Record, accounted_bytes, encode

KEY = bytes(range(48))
VALUE = encode(KEY, Record(bytes(8), b"meta", InlineBody(b"body")))


@pytest.fixture
def disk(tmp_path: Path) -> NoPickleDisk:
    return NoPickleDisk(str(tmp_path))


def test_a_value_is_stored_in_the_row_and_charged_what_its_record_says(disk: NoPickleDisk) -> None:
    size, mode, filename, column = disk.store(VALUE, False, key=KEY)
    assert (size, mode, filename, bytes(column)) == (accounted_bytes(VALUE), 1, None, VALUE)
    assert disk.fetch(mode, filename, VALUE, False) == VALUE


@pytest.mark.parametrize("key", ["text", 7, 7.0, None, (1, 2), KEY[:-1], KEY + b"\0", bytearray(KEY)])
def test_a_key_is_48_bytes(disk: NoPickleDisk, key: object) -> None:
    with pytest.raises(TypeError):
        disk.put(key)


@pytest.mark.parametrize("value", ["text", 7, 7.0, None, {"a": 1}, bytearray(VALUE), memoryview(VALUE)])
def test_a_value_is_bytes(disk: NoPickleDisk, value: object) -> None:
    with pytest.raises(TypeError):
        disk.store(value, False)


def test_a_file_is_no_value(disk: NoPickleDisk, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        disk.store(io.BytesIO(b"data"), True)
    with pytest.raises(TypeError):
        disk.filename(KEY, VALUE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "filename", "value", "read"),
    [
        (4, None, b"cos\nsystem\n(S'true'\ntR.", False),
        (4, "x.val", None, False),
        (2, "/etc/hostname", None, False),
        (2, "../secret", None, True),
        (3, "x.val", None, False),
        (1, "/etc/hostname", VALUE, False),
        (1, None, "text", False),
        (1, None, 7, False),
        (1, None, None, False),
        (1, None, VALUE, True),
        (0, None, VALUE, False),
        (None, None, VALUE, False),
        ("1", None, VALUE, False),
    ],
)
def test_a_row_that_it_did_not_write_is_not_read(
    disk: NoPickleDisk, mode: object, filename: object, value: object, read: bool
) -> None:
    with pytest.raises(ForeignRow):
        disk.fetch(mode, filename, value, read)


@pytest.mark.parametrize(
    ("key", "raw"), [(KEY, 0), (KEY, None), (b"cos\nsystem\n(S'true'\ntR.", 0), (b"short", 1), ("text", 1)]
)
def test_a_key_that_it_did_not_write_is_not_read(disk: NoPickleDisk, key: object, raw: object) -> None:
    with pytest.raises(ForeignRow):
        disk.get(key, raw)


def test_a_file_named_by_a_row_is_not_removed(disk: NoPickleDisk, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    for name in ("victim", str(victim), f"../{tmp_path.name}/victim"):
        disk.remove(name)
    assert victim.read_bytes() == b"mine"
