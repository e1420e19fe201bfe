"""What is wanted is read strictly, and wanted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigFault
from tools.replaying.access_lines import Line
from tools.warming.wanted import Wanted, from_hot, from_list, from_log, once, read_url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://a.example/x?y=%20", Wanted("a.example", "/x?y=%20")),
        ("HTTP://A.example:80", Wanted("a.example", "/")),
        ("http://a.example:81/", Wanted("a.example:81", "/")),
        ("https://a.example/x", Wanted("a.example", "/x", is_secure=True)),
        ("/x", Wanted("h.example", "/x")),
        ("//x", None),
        ("x", None),
        ("ftp://a.example/", None),
        ("http://a.example/ x", None),
        ("http://a.example/x#y", None),
        ("http://u:p@a.example/", None),
        ("http://a.example/\r\nX: y", None),
        ("http://a.example/a/../b", None),
    ],
)
def test_urls(text: str, said: Wanted | None):
    assert read_url(text, "h.example") == said


def test_a_list_has_a_url_a_line(tmp_path: Path):
    file = tmp_path / "urls"
    file.write_bytes(b"# hot\nhttp://a/1\n\n/2\r\nhttp://a/1\nnothing\n\xff\n" + b"/" + b"x" * 20_000)
    wishes = from_list(file, "b")
    assert wishes.wanted == (Wanted("a", "/1"), Wanted("b", "/2"))
    assert wishes.left_out == 3
    with pytest.raises(ConfigFault, match="No such file"):
        from_list(tmp_path / "none", "")


def test_a_log_wants_most_what_was_asked_for_most():
    def line(target: str, status: int = 200, method: str = "GET", at: int = 0) -> Line:
        return Line("c", at, method, target, status, 1)

    lines = [line("/a"), line("/b"), line("/b"), line("/c", at=1), line("/d", 404), line("/e", method="POST")]
    assert [each.target for each in from_log(lines, "h").wanted] == ["/b", "/c", "/a"]


def test_a_hot_set_is_read_as_it_is_told():
    said = {"urls": [{"url": "http://a/1", "uses": 2}, {"url": "x"}, {"uses": 1}, 7], "complete": True}
    wishes = from_hot(said)
    assert (wishes.wanted, wishes.left_out) == ((Wanted("a", "/1"),), 3)
    with pytest.raises(ConfigFault, match="no hot set"):
        from_hot({"ready": True})


def test_there_is_a_bound():
    with pytest.raises(ConfigFault, match="more than 2"):
        once((Wanted("a", f"/{number}") for number in range(3)), limit=2)
