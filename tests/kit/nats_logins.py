"""Who may log in to a nats-server of a test: NKEYs, credentials of an operator, certificates."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys
from nkeys import PREFIX_BYTE_ACCOUNT, PREFIX_BYTE_OPERATOR, PREFIX_BYTE_USER

from tests.kit.certificates import Authority

SYSTEM = "SYS"
"""The name of the account that may not have JetStream."""


@dataclass(frozen=True)
class Key:
    """A key pair of NATS. seed: as in its file; public: as in configurations."""

    seed: bytes
    public: str

    @classmethod
    def make(cls, kind: int) -> "Key":
        seed = bytes(nkeys.encode_seed(os.urandom(32), kind))
        return cls(seed, nkeys.from_seed(bytearray(seed)).public_key.decode())

    def sign(self, data: bytes) -> bytes:
        return bytes(nkeys.from_seed(bytearray(self.seed)).sign(data))

    def statement(self, about: "Key", name: str, kind: str) -> str:
        """A JWT of NATS, version 2: this one says that `about` is a user, an account, or an operator."""
        claims: dict[str, Any] = {
            "iss": self.public,
            "sub": about.public,
            "name": name,
            "iat": 1_700_000_000,
            "nats": {"type": kind, "version": 2},
        }
        if kind == "account":
            most = dict.fromkeys(("subs", "conn", "leaf", "imports", "exports", "data", "payload"), -1)
            disk = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
            limits = {**most, **disk, "wildcards": True} if name != SYSTEM else {**most, "wildcards": True}
            claims["nats"]["limits"] = limits
        if kind == "user":
            claims["nats"] |= {"subs": -1, "data": -1, "payload": -1}
        digest = hashlib.new("sha512_256", json.dumps(claims).encode()).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        head = _part({"typ": "JWT", "alg": "ed25519-nkey"})
        signed = f"{head}.{_part(claims)}"
        return f"{signed}.{base64.urlsafe_b64encode(self.sign(signed.encode())).decode().rstrip('=')}"


def _part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def nkey_login(folder: Path) -> tuple[str, str]:
    """(a line of configuration, the path of the seed's file) of one user."""
    user = Key.make(PREFIX_BYTE_USER)
    file = folder / "user.nk"
    file.write_bytes(user.seed + b"\n")
    return f"authorization {{ users: [ {{ nkey: {user.public} }} ] }}", str(file)


def credentials_login(folder: Path) -> tuple[str, str]:
    """(lines of configuration, the path of the .creds file) of one user of an operator's account."""
    operator, account, user, system = (
        Key.make(kind)
        for kind in (PREFIX_BYTE_OPERATOR, PREFIX_BYTE_ACCOUNT, PREFIX_BYTE_USER, PREFIX_BYTE_ACCOUNT)
    )
    file = folder / "user.creds"
    jwt = account.statement(user, "edge", "user")
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n",
        encoding="ascii",
    )
    lines = f"""
        operator: {operator.statement(operator, "op", "operator")}
        system_account: {system.public}
        resolver: MEMORY
        resolver_preload: {{
            {account.public}: {operator.statement(account, "cdn", "account")}
            {system.public}: {operator.statement(system, SYSTEM, "account")}
        }}
    """
    return lines, str(file)


@dataclass(frozen=True)
class TlsLogin:
    """more: the server's lines. ca_file, cert_file: ours; the key is in the same file as the certificate."""

    more: str
    ca_file: str
    cert_file: str


def tls_login(folder: Path, *names: str) -> TlsLogin:
    """A server that shows a certificate for these names and asks for one."""
    folder.mkdir(exist_ok=True)
    authority = Authority.make(folder)
    theirs, ours = (_certificate(authority, *names) for _ in range(2))
    more = f'tls {{ cert_file: "{theirs}", key_file: "{theirs}", ca_file: "{authority.file}", verify: true }}'
    return TlsLogin(more, str(authority.file), str(ours))


def _certificate(authority: Authority, *names: str) -> Path:
    before = set(authority.directory.iterdir())
    authority.server(*names)
    (made,) = set(authority.directory.iterdir()) - before
    return made
