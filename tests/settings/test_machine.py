"""What the machine says of folders and files."""

from __future__ import annotations

from pathlib import Path

from edge.settings.machine import fault_of_access_log, fault_of_ca_file, fault_of_data_dir
from tests.kit.certificates import Authority


def test_a_data_folder_is_made_and_can_be_written(tmp_path: Path):
    assert fault_of_data_dir(tmp_path / "a" / "b") is None
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_data_folder_below_a_file_is_none(tmp_path: Path):
    (tmp_path / "file").write_text("")
    fault = fault_of_data_dir(tmp_path / "file" / "data")
    assert fault is not None
    assert fault.wrong == f"{tmp_path}/file/data cannot be written: Not a directory"


def test_certificates_are_looked_into(tmp_path: Path):
    assert fault_of_ca_file(str(Authority.make(tmp_path).file)) is None
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for file, said in ((empty, "has no certificate in it"), (tmp_path / "none.pem", "cannot be read")):
        fault = fault_of_ca_file(str(file))
        assert fault is not None
        assert said in fault.wrong


def test_an_access_log_needs_a_folder(tmp_path: Path):
    assert fault_of_access_log(tmp_path / "access.log") is None
    fault = fault_of_access_log(tmp_path / "logs" / "access.log")
    assert fault is not None
    assert fault.wrong == f"{tmp_path}/logs/access.log cannot be written: No such file or directory"
