"""Access logs are read strictly: a line says everything, or it is bad and counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigFault
from tools.replaying.access_lines import MAX_LINE_BYTES, Line, Wrong, gathered, parse, read

COMMON = b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a?b=%20c HTTP/1.1" 200 203'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (COMMON, Line("192.0.2.7", 1431857103, "GET", "/a?b=%20c", 200, 203)),
        (COMMON + b"\r\n", Line("192.0.2.7", 1431857103, "GET", "/a?b=%20c", 200, 203)),
        (
            COMMON + b' "http://x/\\"y" "Mozilla \xff" more\n',
            Line("192.0.2.7", 1431857103, "GET", "/a?b=%20c", 200, 203),
        ),
        (
            COMMON.replace(b"+0000", b"+0230").replace(b"203", b"-"),
            Line("192.0.2.7", 1431857103 - 9000, "GET", "/a?b=%20c", 200, 0),
        ),
        (
            COMMON.replace(b"- - [", b"- Ann Other ["),
            Line("192.0.2.7", 1431857103, "GET", "/a?b=%20c", 200, 203),
        ),
        (
            COMMON.replace(b"192.0.2.7", b"host.example"),
            Line("host.example", 1431857103, "GET", "/a?b=%20c", 200, 203),
        ),
    ],
)
def test_what_a_line_says(line: bytes, said: Line):
    assert parse(line) == said


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (b"", Wrong.FORM),
        (b"GET / HTTP/1.1", Wrong.FORM),
        (COMMON + b"x", Wrong.FORM),
        (COMMON.replace(b" 200 ", b" 600 "), Wrong.FORM),
        (COMMON.replace(b'HTTP/1.1"', b"HTTP/1.1"), Wrong.FORM),
        (COMMON.replace(b"May", b"Mai"), Wrong.TIME),
        (COMMON.replace(b"17/", b"32/"), Wrong.TIME),
        (COMMON.replace(b":10:05:03", b":24:05:03"), Wrong.TIME),
        (COMMON.replace(b"+0000", b"+1900"), Wrong.TIME),
        (COMMON.replace(b"GET", b"get"), Wrong.REQUEST),
        (COMMON.replace(b"/a?b", b"http://x/a?b"), Wrong.REQUEST),
        (COMMON.replace(b"/a?b", b"/a\\x22?b"), Wrong.REQUEST),
        (COMMON.replace(b"/a?b", b"/a#b"), Wrong.REQUEST),
        (COMMON.replace(b"/a?b", b"/\xe4"), Wrong.REQUEST),
        (COMMON.replace(b"GET /a?b=%20c HTTP/1.1", b"-"), Wrong.REQUEST),
        (COMMON.replace(b" 203", b" 9999999999999"), Wrong.REQUEST),
        (COMMON + b" " + b"x" * MAX_LINE_BYTES, Wrong.LONG),
    ],
)
def test_what_is_wrong_with_a_line(line: bytes, wrong: Wrong):
    assert parse(line) is wrong


@settings(max_examples=100)
@given(st.binary(max_size=200), st.integers(0, len(COMMON)))
def test_no_bytes_make_it_fail(noise: bytes, at: int):
    for line in (noise, COMMON[:at] + noise + COMMON[at:]):
        assert isinstance(parse(line), Line | Wrong)


def test_lines_are_put_in_order_and_counted():
    later = COMMON.replace(b":10:05:03", b":10:05:04")
    recorded = gathered([later, b"?", COMMON, b"??", COMMON.replace(b"/a?b", b"/b")], limit=4)
    assert [line.at for line in recorded.lines] == [1431857103, 1431857104]
    assert (recorded.bad, recorded.is_cut, recorded.seconds) == ({Wrong.FORM: 2}, True, 1)


def test_a_file_may_be_packed_and_its_long_lines_are_one_each(tmp_path: Path):
    text = b"\n".join([COMMON, b"x" * (3 * MAX_LINE_BYTES), COMMON])
    (tmp_path / "a.log").write_bytes(text)
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(text))
    for name in ("a.log", "a.log.gz"):
        recorded = read(tmp_path / name)
        assert (len(recorded.lines), recorded.bad) == (2, {Wrong.LONG: 1})


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.log", None, "No such file"),
        ("a.log", b"", "it is empty"),
        ("a.log", b"x\ny\n", "2 not in the common form"),
        ("a.gz", b"x", "Not a gzipped file"),
        ("a.gz", gzip.compress(COMMON * 99)[:-20], "ended"),
    ],
)
def test_what_is_no_log_is_refused_by_name(tmp_path: Path, name: str, content: bytes | None, why: str):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigFault, match=why) as fault:
        read(file)
    assert str(file) in fault.value.detail
