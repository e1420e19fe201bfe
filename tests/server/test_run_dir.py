"""One node per data folder, and a place for its sockets whose path is short enough."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.server.run_dir import (
    MAX_FOLDER_BYTES,
    admin_socket_of,
    claim,
    folder_of,
    tier_socket_of,
    write_kept,
)


async def test_the_folder_is_empty_ours_alone_and_gone_afterwards(tmp_path: Path):
    left = folder_of(tmp_path)
    left.mkdir()
    (left / "old.sock").write_text("")
    async with claim(tmp_path) as folder:
        assert folder == left
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


async def test_a_second_node_is_refused_and_told_who_has_the_folder(tmp_path: Path):
    async with claim(tmp_path):
        with pytest.raises(EdgeError, match=f"process {os.getpid()}"):
            async with claim(tmp_path, patience=0.0):
                pass
    async with claim(tmp_path):
        pass


@pytest.mark.parametrize("length", [5, 60, 200])
async def test_a_socket_can_be_bound_however_long_the_data_folders_path_is(tmp_path: Path, length: int):
    data_dir = tmp_path / ("d" * length)
    data_dir.mkdir()
    async with claim(data_dir) as folder:
        assert len(os.fsencode(folder)) <= MAX_FOLDER_BYTES
        for path in (admin_socket_of(folder, 255), tier_socket_of(folder, 255)):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(path))


def test_two_long_data_folders_have_two_places(tmp_path: Path):
    one, other = (tmp_path / (letter * 200) for letter in "ab")
    assert folder_of(one) != folder_of(other)
    assert folder_of(one) == folder_of(one)


async def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    folder_of(data_dir).symlink_to(precious)
    async with claim(data_dir) as folder:
        assert not folder.is_symlink()
    assert (precious / "file").read_text() == "kept"


def test_what_is_kept_for_other_processes_is_for_this_user_and_whole(tmp_path: Path):
    file = tmp_path / "kept.json"
    write_kept({"a": [1]}, file)
    write_kept({"a": [2]}, file)
    assert json.loads(file.read_text()) == {"a": [2]}
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
