"""One record is one line, whatever is in it, and no line makes the loop wait."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from edge.log import Form, set_up

LOGGER = logging.getLogger("perigee.test")


@pytest.fixture(autouse=True)
def _root_level() -> Iterator[None]:
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def written(form: Form, message: str, extra: dict[str, object], *, failing: bool = False) -> str:
    stream = io.StringIO()
    log = set_up(form=form, stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        LOGGER.warning(message, extra=extra, exc_info=failing)
    log.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("extra", "tail"),
    [
        ({"origin": "o.example", "tries": 2}, "origin=o.example tries=2"),
        ({"detail": "two words"}, 'detail="two words"'),
        ({"path": "/a\r\nERROR forged"}, r'path="/a\r\nERROR forged"'),
        ({"raw": b"\xff\x00"}, r'raw="\u00ff\u0000"'),
        ({"empty": ""}, 'empty=""'),
        ({"quote": 'a"b'}, r'quote="a\"b"'),
        ({"long": "x" * 3_000}, f"long={'x' * 2_000}..."),
    ],
)
def test_a_text_line_carries_its_values_and_cannot_be_forged(extra: dict[str, object], tail: str):
    line = written(Form.TEXT, "origin is away", extra)
    assert line.count("\n") == 1
    assert line.endswith(f"Z WARNING perigee.test origin is away {tail}\n")


def test_a_json_line_keeps_numbers_and_escapes_the_rest():
    line = written(Form.JSON, "origin is away", {"tries": 2, "path": "/a\nb", "raw": b"\xff"})
    assert line.count("\n") == 1
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "warning",
        "logger": "perigee.test",
        "message": "origin is away",
        "tries": 2,
        "path": "/a\nb",
        "raw": "\xff",
    }


@pytest.mark.parametrize("form", Form)
def test_a_traceback_stays_on_its_line(form: Form):
    line = written(form, "task failed", {"task": "x"}, failing=True)
    assert line.count("\n") == 1
    assert "ValueError: broken" in line


def test_a_message_with_a_line_break_is_one_line():
    assert r"a\nb" in written(Form.TEXT, "a\nb", {})


class Stuck(io.StringIO):
    """A stream whose reader has gone away for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.writing.set()
        assert self.go_on.wait(10.0)
        return super().write(text)


def test_a_stream_that_is_not_read_drops_lines_and_counts_them():
    stream = Stuck()
    log = set_up(stream=stream, queue_records=2)
    LOGGER.warning("first")
    assert stream.writing.wait(10.0)
    for _ in range(5):
        LOGGER.warning("more")
    assert log.dropped == 3
    stream.go_on.set()
    log.close()
    assert stream.getvalue().count("\n") == 3


def test_closing_gives_the_root_logger_back_as_it_was():
    before = list(logging.getLogger().handlers)
    set_up(stream=io.StringIO()).close()
    assert logging.getLogger().handlers == before


def test_an_unknown_level_is_an_error():
    with pytest.raises(ValueError, match="LOUD"):
        set_up(level="loud", stream=io.StringIO())
