"""What only the machine can say of settings: whether a folder can be written, a certificate be read.

Rules: asked before a start and before a reload, not by `perigee check` on a machine that is another one; the folder of
`node.data_dir` is made where it is missing.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from edge.settings.problems import Fault


def fault_of_data_dir(folder: Path) -> Fault | None:
    """Why nothing can be kept in `folder`; None when something can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        wrong = f"{folder} cannot be written: {error.strerror or error}"
        return Fault(wrong, "write a folder that this user may write, or change its owner")


def fault_of_ca_file(file: str) -> Fault | None:
    """Why `file` gives no trusted certificates; None when it does."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=file)
    except OSError as error:
        return fault_of_authorities(file, error)
    return None


def fault_of_authorities(name: str, error: Exception) -> Fault:
    """What an error says that a file of authorities gave, when it was read or when OpenSSL took it. name: how it is called."""
    wrong = "has no certificate in it"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        wrong = f"cannot be read: {error.strerror or error}"
    return Fault(f"{name} {wrong}", "write a file of PEM certificates")


def fault_of_access_log(file: Path) -> Fault | None:
    """Why no lines can be added to `file`; None when they can."""
    try:
        with file.open("ab"):
            return None
    except OSError as error:
        wrong = f"{file} cannot be written: {error.strerror or error}"
        return Fault(wrong, 'write a file in a folder that is there and may be written, or "stdout"')
