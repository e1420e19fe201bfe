"""Lines get into a file or a pipe without anybody waiting, and what does not fit is counted."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edge.server.log_lines import MAX_LINE_BYTES
from edge.server.log_writer import LogWriter


class Drops:
    def __init__(self) -> None:
        self.lines = 0
        self.came = threading.Event()

    def __call__(self, lines: int) -> None:
        self.lines += lines
        self.came.set()


def write(writer: LogWriter, *lines: bytes) -> None:
    writer.write(list(lines), sum(map(len, lines)))


def test_lines_are_added_to_what_is_there(tmp_path: Path):
    file = tmp_path / "access.log"
    file.write_bytes(b"before\n")
    writer = LogWriter(file, on_drop=Drops())
    write(writer, b"one\n", b"two\n")
    write(writer, b"three\n")
    writer.close()
    assert file.read_bytes() == b"before\none\ntwo\nthree\n"


def test_a_new_file_is_for_the_owner_and_the_group(tmp_path: Path):
    LogWriter(tmp_path / "access.log", on_drop=Drops()).close()
    assert (tmp_path / "access.log").stat().st_mode & 0o7 == 0


def test_a_file_that_was_renamed_is_made_anew_when_told(tmp_path: Path):
    file, old = tmp_path / "access.log", tmp_path / "access.log.1"
    writer = LogWriter(file, on_drop=Drops())
    write(writer, b"one\n")
    file.rename(old)
    write(writer, b"two\n")
    writer.reopen()
    write(writer, b"three\n")
    writer.close()
    assert (old.read_bytes(), file.read_bytes()) == (b"one\ntwo\n", b"three\n")


def test_a_file_that_cannot_be_opened_leaves_the_log_where_it_is(tmp_path: Path):
    file = tmp_path / "access.log"
    writer = LogWriter(file, on_drop=Drops())
    writer.open(tmp_path / "no folder" / "access.log")
    write(writer, b"one\n")
    writer.close()
    assert file.read_bytes() == b"one\n"


def test_a_file_that_can_never_be_opened_is_an_error_at_once(tmp_path: Path):
    with pytest.raises(OSError, match="access.log"):
        LogWriter(tmp_path / "no folder" / "access.log", on_drop=Drops())


def test_what_nobody_reads_is_bounded_and_what_is_beyond_it_counted(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    drops = Drops()
    line = b"x" * 4_095 + b"\n"
    writer = LogWriter(pipe, on_drop=drops, queue_bytes=1 << 20)
    for _ in range(100):  # 6.4 MB: more than the pipe and the queue hold
        write(writer, *[line] * 16)
    assert 0 < drops.lines < 1_600
    os.set_blocking(reader, True)
    read = threading.Thread(target=_drained, args=(reader, bytearray()))
    read.start()
    writer.close()
    read.join()
    os.close(reader)


def _drained(reader: int, into: bytearray) -> None:
    while data := os.read(reader, 65_536):
        into += data


def test_lines_of_several_workers_do_not_mix_in_a_pipe(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    came = bytearray()
    writers = [LogWriter(pipe, on_drop=Drops()) for _ in range(3)]
    read = threading.Thread(target=_drained, args=(reader, came))
    read.start()
    lines = [
        bytes((ord("a") + number,)) * size for number in range(3) for size in (10, 1_000, MAX_LINE_BYTES - 1)
    ]
    for _ in range(10):
        for number, writer in enumerate(writers):
            write(writer, *[line + b"\n" for line in lines[3 * number : 3 * number + 3]])
    for writer in writers:
        writer.close()
    read.join()
    os.close(reader)
    assert sorted(bytes(came).splitlines()) == sorted(lines * 10)


def test_a_reader_that_is_gone_costs_the_lines_and_is_counted(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    drops = Drops()
    writer = LogWriter(pipe, on_drop=drops)
    os.close(reader)
    write(writer, b"one\n", b"two\n")
    assert drops.came.wait(5)
    writer.close()
    assert drops.lines == 2
