"""The kinds that only key files have."""

from __future__ import annotations

import tomllib

import pytest

from edge.purge.signing.key_schema import KEY, MAX_SECRET, MIN_SECRET, Base64, Moment
from edge.semantics.message import UnixSeconds
from edge.settings.problems import Refused

BYTES = Base64(2, 4, "some bytes")


@pytest.mark.parametrize(("text", "octets"), [("AAE=", b"\0\1"), ("AAECAw==", b"\0\1\2\3")])
def test_base64_is_read_and_written(text: str, octets: bytes):
    assert BYTES.read(text) == octets
    assert BYTES.write(octets) == f'"{text}"'


@pytest.mark.parametrize(
    "value", ["AA==", "AAECAwQ=", "AAE", "A AE=", "AAE=\n", "-_-_", "\u00e9", "", 1, None, b"AAE="]
)
def test_what_is_no_such_base64_is_refused_and_not_quoted(value: object):
    with pytest.raises(Refused) as raised:
        BYTES.read(value)
    (fault,) = raised.value.faults
    assert fault.instead == "allowed: some bytes: 2 to 4 bytes in base64"
    assert "AAE" not in fault.wrong


def test_a_number_of_bytes_that_is_fixed_is_said_once():
    assert Base64(32, 32, "a key").allowed() == "a key: 32 bytes in base64"


def moment(text: str) -> object:
    return tomllib.loads(f"at = {text}")["at"]


@pytest.mark.parametrize(
    "text", ["2026-11-24T00:00:00Z", "2026-11-24T01:30:00+01:30", "2026-11-24 00:00:00z"]
)
def test_a_moment_has_an_offset(text: str):
    assert Moment().read(moment(text)) == UnixSeconds(1_795_478_400)


def test_a_moment_is_written_as_it_is_read():
    assert Moment().read(moment(Moment().write(1_795_478_400.5))) == UnixSeconds(1_795_478_400.5)


MOMENTS = [
    (moment("2026-11-24T00:00:00"), "has no offset", "write 2026-11-24T00:00:00Z if UTC is meant"),
    (moment("2026-11-24"), "is no date and time", "as in 2027-01-31T00:00:00Z"),
    ("2026-11-24T00:00:00Z", "is no date and time", "without quotes"),
    (1, "is no date and time", "as in"),
]


@pytest.mark.parametrize(("value", "wrong", "instead"), MOMENTS)
def test_what_is_no_moment_is_refused(value: object, wrong: str, instead: str):
    with pytest.raises(Refused) as raised:
        Moment().read(value)
    (fault,) = raised.value.faults
    assert wrong in fault.wrong
    assert instead in fault.instead


@pytest.mark.parametrize("size", [MIN_SECRET - 1, MAX_SECRET + 1])
def test_a_secret_has_its_bounds(size: int):
    kind = KEY.settings["secret"].kind
    with pytest.raises(Refused):
        kind.read(kind.write(bytes(size)).strip('"'))


def test_everything_is_no_kind_that_is_listed():
    with pytest.raises(Refused):
        KEY.settings["kinds"].kind.read(["url", "everything"])
