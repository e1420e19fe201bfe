"""Which files belong together, in the layouts that people have."""

from __future__ import annotations

import pytest

from edge.tls.layout import FileFault, Material, PairFault, paired

CERT = b"-----BEGIN CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a.crt": CERT, "a.key": KEY}, [("a", "a.crt")]),
        ({"a.pem": CERT, "a.key": KEY, "b.cer": CERT, "b.key": KEY}, [("a", "a.pem"), ("b", "b.cer")]),
        ({"a.pem": CERT + KEY}, [("a", "a.pem")]),
        ({"a.test.pem": CERT, "a.test-key.pem": KEY}, [("a.test", "a.test.pem")]),
        (
            {
                "live/a.test/fullchain.pem": CERT,
                "live/a.test/privkey.pem": KEY,
                "live/a.test/cert.pem": CERT,
                "live/a.test/chain.pem": CERT,
                "live/README": b"",
            },
            [("live/a.test", "live/a.test/fullchain.pem")],
        ),
        (
            {
                "a.test_ecc/fullchain.cer": CERT,
                "a.test_ecc/a.test.key": KEY,
                "a.test_ecc/a.test.cer": CERT,
                "a.test_ecc/ca.cer": CERT,
            },
            [("a.test_ecc", "a.test_ecc/fullchain.cer")],
        ),
        ({"fullchain.pem": CERT, "privkey.pem": KEY}, [("fullchain", "fullchain.pem")]),
        ({"x/fullchain.pem": CERT + KEY}, [("x", "x/fullchain.pem")]),
        ({"ca/account.key": KEY, "notes.txt": b"", "a.csr": b"", "a.conf": b""}, []),
    ],
)
def test_layouts(files: dict[str, bytes], found: list[tuple[str, str]]):
    materials, faults = paired(files)
    assert faults == []
    assert [(each.name, each.file) for each in materials] == found
    assert all(CERT in each.chain and KEY in each.key for each in materials)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"a.crt": CERT}, FileFault("a.crt", "there is no key to it", "put its key beside it as a.key", "a")),
        (
            {"a.key": KEY},
            FileFault(
                "a.key",
                "there is no certificate to it",
                "put its certificate beside it as a.crt, or move it elsewhere",
                "a",
            ),
        ),
        (
            {"x/fullchain.pem": CERT},
            FileFault(
                "x/fullchain.pem", "there is no key beside it", "put its key there as privkey.pem", "x"
            ),
        ),
        (
            {"x/fullchain.pem": CERT, "x/a.key": KEY, "x/b.key": KEY},
            FileFault(
                "x/fullchain.pem", "there are several keys beside it", "put its key there as privkey.pem", "x"
            ),
        ),
    ],
)
def test_what_lacks_its_other_half_is_told(files: dict[str, bytes], fault: FileFault):
    assert paired(files) == ([], [fault])


def test_a_fault_says_file_and_remedy_and_shows_no_key():
    fault = FileFault("a.crt", "it is wrong", "put it right", "a")
    assert str(PairFault(fault)) == "a.crt: it is wrong; put it right"
    assert "PRIVATE" not in repr(Material("a", "a.crt", CERT, KEY))
