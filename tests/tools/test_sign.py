"""`perigee sign` prints headers that a node verifies, in a form that a shell takes."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.errors import ClientFault, ConfigFault
from edge.purge.signing.private_keys import pem, write_private
from edge.purge.signing.sign import request_to
from edge.purge.signing.verify import Verified, verify
from edge.semantics.message import Fields, Line
from tests.kit.signed import BODY, RING, SIGNING, URL
from tools.perigee import app
from tools.sign import Asked, run, signed


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "deploy.pem"
    write_private(file, pem(SIGNING))
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    return file


def verdict(lines: tuple[Line, ...], method: str, body: bytes, url: str = URL) -> object:
    return verify(request_to(url, method=method, fields=Fields(lines), body=body), RING, time.time())


def test_what_is_signed_is_verified(key: Path, data: Path):
    assert isinstance(verdict(signed(Asked(URL, key, "POST", str(data))), "POST", BODY), Verified)
    assert isinstance(verdict(signed(Asked(URL, key, "PURGE")), "PURGE", b""), Verified)


def test_two_signatures_have_two_nonces(key: Path):
    assert (
        dict(signed(Asked(URL, key, "PURGE")))[b"Signature"]
        != dict(signed(Asked(URL, key, "PURGE")))[b"Signature"]
    )


def test_headers_are_covered_and_printed_too(key: Path, data: Path):
    headers = ("Content-Type: text/plain", "Surrogate-Key:  a b ", "X-Empty:")
    lines = signed(Asked(URL, key, "POST", str(data), headers=headers, expires_after=60))
    assert lines[:3] == ((b"Content-Type", b"text/plain"), (b"Surrogate-Key", b"a b"), (b"X-Empty", b""))
    inputs = dict(lines)[b"Signature-Input"]
    assert b'"surrogate-key"' in inputs
    assert b";expires=" in inputs
    assert isinstance(verdict(lines, "POST", BODY), Verified)


def test_the_body_can_come_from_standard_input(key: Path):
    said = CliRunner().invoke(
        app, ["sign", "--key", str(key), "--url", URL, "--data", "-", "--json"], input=BODY
    )
    lines = tuple((name.encode(), value.encode()) for name, value in json.loads(said.output).items())
    assert isinstance(verdict(lines, "POST", BODY), Verified)


def test_a_shell_takes_the_arguments(key: Path, data: Path, capsys: pytest.CaptureFixture[str]):
    assert (
        run(Asked(URL, key, "POST", str(data), headers=('X-Quoted: it\'s "so" $HOME',)), to_json=False) == 0
    )
    script = f"set -- {capsys.readouterr().out}\nprintf '%s\\n' \"$@\""
    words = subprocess.run(
        ["sh", "-c", script], capture_output=True, check=True, timeout=10
    ).stdout.splitlines()
    assert set(words[::2]) == {b"-H"}
    lines = tuple((name, value) for name, _, value in (word.partition(b": ") for word in words[1::2]))
    assert lines[0] == (b"X-Quoted", b'it\'s "so" $HOME')
    assert isinstance(verdict(lines, "POST", BODY), Verified)


def test_a_program_gets_an_object(key: Path, data: Path, capsys: pytest.CaptureFixture[str]):
    assert (
        run(
            Asked(URL, key, "POST", str(data), headers=("Surrogate-Key: a", "Surrogate-Key: b")), to_json=True
        )
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["surrogate-key"] == "a, b"
    lines = tuple((name.encode(), value.encode()) for name, value in said.items())
    assert isinstance(verdict(lines, "POST", BODY), Verified)


def test_what_cannot_be_signed_is_said(key: Path, data: Path, tmp_path: Path):
    for asked, said in (
        (Asked(URL, tmp_path / "none.pem", "POST"), "cannot be read"),
        (Asked(URL, key, "POST", str(tmp_path / "none")), "cannot be read"),
        (Asked(URL, key, "POST", headers=("no header",)), "write 'Name: value'"),
        (Asked(URL, key, "POST", headers=("Surrogate-Key: caf\u00e9",)), "not printable ASCII"),
    ):
        with pytest.raises(ConfigFault, match=said):
            signed(asked)
    with pytest.raises(ClientFault, match="no URL to sign"):
        signed(Asked("edge.example", key, "POST"))


def test_the_command_line(key: Path, data: Path):
    words = ["sign", "--key", str(key), "--url", URL, "--data", str(data), "--id", "deploy", "--json"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0
    lines = tuple((name.encode(), value.encode()) for name, value in json.loads(said.output).items())
    assert isinstance(verdict(lines, "POST", BODY), Verified)
