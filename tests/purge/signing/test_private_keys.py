"""What signs is written for its owner only, and read back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from edge.errors import ConfigFault
from edge.purge.signing.keys import Algorithm
from edge.purge.signing.private_keys import material_of, new_signing_key, pem, read_private, write_private
from edge.purge.signing.sign import SigningKey
from tests.kit.rfc9421 import ED25519_PRIVATE, ED25519_PRIVATE_PEM, ED25519_PUBLIC
from tests.kit.signed import SHARED, SIGNING


@pytest.mark.parametrize("key", [SIGNING, SHARED], ids=lambda key: key.algorithm.value)
def test_what_is_written_is_read(tmp_path: Path, key: SigningKey):
    file = tmp_path / f"{key.id}.pem"
    write_private(file, pem(key))
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_private(file) == key
    assert read_private(file, "another").id == "another"


def test_the_rfcs_key(tmp_path: Path):
    file = tmp_path / "test-key-ed25519.pem"
    write_private(file, ED25519_PRIVATE_PEM.decode())
    key = read_private(file)
    assert key == SigningKey("test-key-ed25519", Algorithm.ED25519, ED25519_PRIVATE)
    assert material_of(key) == ED25519_PUBLIC
    assert pem(key).encode() == ED25519_PRIVATE_PEM


def test_a_new_key_is_made_of_chance():
    key = new_signing_key("k", Algorithm.ED25519, lambda count: b"x" * count)
    assert key == SigningKey("k", Algorithm.ED25519, b"x" * 32)
    assert material_of(SHARED) == SHARED.private


def test_nothing_is_overwritten(tmp_path: Path):
    file = tmp_path / "a.pem"
    write_private(file, "first")
    with pytest.raises(ConfigFault, match="is there already"):
        write_private(file, "second")
    assert file.read_text() == "first"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ConfigFault, match="cannot be written"):
        write_private(tmp_path / "none" / "a.pem", "x")
    with pytest.raises(ConfigFault, match="cannot be read"):
        read_private(tmp_path / "none.pem")


@pytest.mark.parametrize("mode", [0o604, 0o602])
def test_a_key_that_is_everybodys_is_refused(tmp_path: Path, mode: int):
    file = tmp_path / "a.pem"
    write_private(file, pem(SIGNING))
    file.chmod(mode)
    with pytest.raises(ConfigFault, match="chmod o-rw"):
        read_private(file)


def secret(text: str) -> bytes:
    return f"-----BEGIN PERIGEE HMAC SECRET-----\n{text}\n-----END PERIGEE HMAC SECRET-----\n".encode()


PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8)
BAD = {
    "nothing": b"",
    "no PEM": b"\xff\x00",
    "another algorithm": generate_private_key(SECP256R1()).private_bytes(*PKCS8, NoEncryption()),
    "a password": Ed25519PrivateKey.generate().private_bytes(*PKCS8, BestAvailableEncryption(b"x")),
    "cut short": ED25519_PRIVATE_PEM[:60],
    "a secret that is short": secret("c2hvcnQ="),
    "a secret that is no base64": secret("=AAA"),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_has_no_key_in_it_is_refused(tmp_path: Path, data: bytes):
    file = tmp_path / "a.pem"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(ConfigFault, match="has no"):
        read_private(file)


def test_openssl_reads_our_key(tmp_path: Path):
    file = tmp_path / "a.pem"
    write_private(file, pem(SIGNING))
    command = ["openssl", "pkey", "-in", str(file), "-pubout", "-outform", "DER"]
    try:
        said = subprocess.run(command, capture_output=True, check=True, timeout=10).stdout
    except FileNotFoundError:
        pytest.skip("no openssl on this machine")
    assert said.endswith(material_of(SIGNING))
