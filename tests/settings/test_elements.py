"""Arrays of tables: each element by itself, each fault with its index."""

from __future__ import annotations

import pytest

from edge.settings.document import parse
from edge.settings.elements import MAX_ELEMENTS, array_of_tables, read_element
from edge.settings.network_schema import REGION
from edge.settings.problems import Problem


def read(text: str) -> tuple[list[dict[str, object]], list[str]]:
    document = parse("network.toml", text.encode())
    problems: list[Problem] = []
    found = [
        read_element(document, element, REGION, base=base, env={}, into=problems)
        for base, element in array_of_tables(document, document.table, "region", into=problems)
    ]
    return found, [str(problem) for problem in problems]


def test_each_element_is_read():
    assert read('[[region]]\nname = "a"\n[[region]]\nname = "b"') == ([{"name": "a"}, {"name": "b"}], [])
    assert read("") == ([], [])


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "region = 3",
            "network.toml:1: region: 3 stands where a region belongs; write [[region]], with two brackets",
        ),
        (
            "\n[region]",
            "network.toml:2: region: a table stands where a region belongs; write [[region]], with two brackets",
        ),
        (
            "region = [3]",
            "network.toml:1: region: an array stands where a region belongs; write [[region]], with two brackets",
        ),
        (
            '[[region]]\nname = "a"\n[[region]]',
            'network.toml:3: region[1]: this region has no name; write name = "eu" in it',
        ),
        (
            '[[region]]\nname = "a"\nnmae = "b"',
            "network.toml:3: region[0].nmae: this is not known; did you mean name? allowed here: name, shields",
        ),
    ],
)
def test_a_fault_names_the_element(text: str, said: str):
    assert read(text)[1] == [said]


def test_there_is_a_bound_of_elements():
    lines = ",\n".join(["{}"] * (MAX_ELEMENTS + 1))
    assert read(f"region = [\n{lines}]")[1] == [
        f"network.toml:1: region: there are {MAX_ELEMENTS + 1}; allowed: {MAX_ELEMENTS}"
    ]
