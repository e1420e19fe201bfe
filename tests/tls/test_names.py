"""Which certificate a name gets: exact, then a wildcard of one label."""

from __future__ import annotations

import pytest

from edge.tls.names import NameTable, doubles

TABLE = NameTable(
    [("www.example.org", 1), ("*.example.org", 2), ("example.org", 3), ("*.a.example.org", 4), ("*.test", 5)]
)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        (b"www.example.org", 1),
        (b"other.example.org", 2),
        (b"example.org", 3),
        (b"x.a.example.org", 4),
        (b"a.example.org", 2),
        (b"x.y.example.org", None),
        (b"org", None),
        (b"", None),
        (b".example.org", None),
        (b"*.example.org", 2),
        (b"b.test", 5),
        (b"test", None),
        (b"www.example.org.", None),
        (b"\xff\0", None),
    ],
)
def test_the_nearest_name_wins(name: bytes, owner: int | None):
    assert TABLE.find(name) == owner


def test_a_name_that_two_have_is_told_with_both():
    names = {"a": ["x.test", "y.test", "x.test"], "b": ["z.test", "y.test"], "c": ["*.test", "x.test"]}
    assert doubles(names) == [("y.test", "a", "b"), ("x.test", "a", "c")]
