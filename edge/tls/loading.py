"""A certificate and its key, from memory into OpenSSL.

Owns: `load_into`. Python reads keys from files only, so they are given to it as one that is nowhere (memfd_create); where the
system has none of those, as one of this user that is gone at once. Rule: nobody is asked for a passphrase.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from edge.tls.layout import FileFault, Material, PairFault


def load_into(context: ssl.SSLContext, material: Material) -> None:
    """Have a context show this certificate. Blocks, some 0.2 ms. PairFault when OpenSSL refuses it."""
    try:
        with _as_file(material.chain + b"\n" + material.key) as path:
            context.load_cert_chain(path, password=_no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        wrong = f"OpenSSL refuses it: {getattr(error, 'reason', None) or error}"
        instead = "have one made with a key and a signature that are strong enough"
        raise PairFault(FileFault(material.file, wrong, instead, material.name)) from None


def _no_passphrase() -> str:
    """Without it, OpenSSL would ask on the terminal."""
    return ""


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path under which the content can be read, on no disk where the system can do that."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("perigee", os.MFD_CLOEXEC)
        try:
            os.write(number, content)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile() as file:  # of mode 0600
        file.write(content)
        file.flush()
        yield file.name
