"""Signature-Input and Signature are read strictly, and one signature is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.signing.claimed import (
    MAX_COMPONENTS,
    MAX_FIELD_BYTES,
    MAX_SIGNATURES,
    Claimed,
    read_claimed,
)
from edge.purge.signing.faults import Rejected, SignatureFault
from edge.semantics.message import Fields

TAG = "cdn-purge"
INPUT = b'a=("@method");created=1;expires=2;nonce="n";keyid="k";alg="ed25519";tag="cdn-purge"'
SIGNATURE = b"a=:AAAA:"


def fields(*, inputs: bytes | None = INPUT, signatures: bytes | None = SIGNATURE) -> Fields:
    lines = ((b"Signature-Input", inputs), (b"Signature", signatures))
    return Fields((name, value) for name, value in lines if value is not None)


def test_what_is_claimed():
    claimed = read_claimed(fields(), TAG)
    assert (claimed.label, claimed.signature, claimed.created, claimed.expires) == ("a", b"\0\0\0", 1, 2)
    assert (claimed.nonce, claimed.keyid, claimed.alg) == ("n", "k", "ed25519")


def test_what_is_not_said_is_none():
    claimed = read_claimed(fields(inputs=b'a=();tag="cdn-purge"'), TAG)
    assert (claimed.created, claimed.expires, claimed.nonce, claimed.keyid, claimed.alg) == (None,) * 5


PROXY = b'b=("@path");created=9;keyid="proxy"'


@pytest.mark.parametrize(
    "inputs", [INPUT + b", " + PROXY, PROXY + b"," + INPUT, PROXY + b';tag="x", ' + INPUT]
)
def test_of_several_the_one_with_our_tag_is_taken(inputs: bytes):
    assert read_claimed(fields(inputs=inputs, signatures=b"b=:AAAB:, a=:AAAA:"), TAG).label == "a"


def many(count: int) -> Fields:
    labels = [b"l%d" % index for index in range(count)]
    inputs = b", ".join(b"%b=()" % label for label in labels)
    signatures = b", ".join(b"%b=:AAAA:" % label for label in labels)
    return fields(inputs=inputs + b';tag="cdn-purge"', signatures=signatures)


def padded(value: bytes, size: int) -> bytes:
    return value + b" " * (size - len(value))


REFUSED = [
    ("neither", fields(inputs=None, signatures=None), SignatureFault.NO_SIGNATURE),
    ("no Signature-Input", fields(inputs=None), SignatureFault.MALFORMED),
    ("no Signature", fields(signatures=None), SignatureFault.MALFORMED),
    ("empty", fields(inputs=b"", signatures=b""), SignatureFault.WRONG_TAG),
    ("no dictionary", fields(inputs=b"a=("), SignatureFault.MALFORMED),
    ("a comma at the end", fields(inputs=INPUT + b","), SignatureFault.MALFORMED),
    ("Signature no dictionary", fields(signatures=b":AAAA:"), SignatureFault.MALFORMED),
    ("a label twice", fields(inputs=INPUT + b", " + INPUT), SignatureFault.MALFORMED),
    ("a signature twice", fields(signatures=b"a=:AAAA:, a=:AAAA:"), SignatureFault.MALFORMED),
    ("a label twice over two lines", Fields((*fields(), (b"Signature", SIGNATURE))), SignatureFault.MALFORMED),
    ("other labels", fields(signatures=b"b=:AAAA:"), SignatureFault.MALFORMED),
    ("a signature without input", fields(signatures=b"a=:AAAA:, b=:AAAA:"), SignatureFault.MALFORMED),
    ("an input without signature", fields(inputs=INPUT + b", " + PROXY), SignatureFault.MALFORMED),
    ("no inner list", fields(inputs=b'a="@method";tag="cdn-purge"'), SignatureFault.MALFORMED),
    ("the other no inner list", fields(inputs=INPUT + b", b", signatures=b"a=:AAAA:, b=:AAAA:"), SignatureFault.MALFORMED),
    ("no bytes", fields(signatures=b'a="AAAA"'), SignatureFault.MALFORMED),
    ("a list of bytes", fields(signatures=b"a=(:AAAA:)"), SignatureFault.MALFORMED),
    ("a parameter of the signature", fields(signatures=b"a=:AAAA:;x"), SignatureFault.MALFORMED),
    ("base64 with bits that do not count", fields(signatures=b"a=:AAB=:"), SignatureFault.MALFORMED),
    ("base64 without padding", fields(signatures=b"a=:AAA:"), SignatureFault.MALFORMED),
    ("created no integer", fields(inputs=INPUT.replace(b"created=1", b'created="1"')), SignatureFault.MALFORMED),
    ("created a date", fields(inputs=INPUT.replace(b"created=1", b"created=@1")), SignatureFault.MALFORMED),
    ("created a boolean", fields(inputs=INPUT.replace(b"created=1", b"created")), SignatureFault.MALFORMED),
    ("created a decimal", fields(inputs=INPUT.replace(b"created=1", b"created=1.0")), SignatureFault.MALFORMED),
    ("expires no integer", fields(inputs=INPUT.replace(b"expires=2", b"expires=x")), SignatureFault.MALFORMED),
    ("nonce no string", fields(inputs=INPUT.replace(b'nonce="n"', b"nonce=n")), SignatureFault.MALFORMED),
    ("keyid no string", fields(inputs=INPUT.replace(b'keyid="k"', b"keyid=:AAAA:")), SignatureFault.MALFORMED),
    ("alg no string", fields(inputs=INPUT.replace(b'alg="ed25519"', b"alg=ed25519")), SignatureFault.MALFORMED),
    ("a parameter nobody knows", fields(inputs=INPUT + b";critical"), SignatureFault.MALFORMED),
    ("another tag", fields(inputs=INPUT.replace(b"cdn-purge", b"web-bot-auth")), SignatureFault.WRONG_TAG),
    ("the tag a token", fields(inputs=INPUT.replace(b'"cdn-purge"', b"cdn-purge")), SignatureFault.WRONG_TAG),
    ("no tag", fields(inputs=b"a=()"), SignatureFault.WRONG_TAG),
    ("two with our tag", fields(inputs=INPUT + b", b" + INPUT[1:], signatures=b"a=:AAAA:, b=:AAAA:"), SignatureFault.SEVERAL_SIGNATURES),
    ("64 KB of input", fields(inputs=INPUT + b" " * 65_536), SignatureFault.TOO_LARGE),
    ("an input byte too many", fields(inputs=padded(INPUT, MAX_FIELD_BYTES + 1)), SignatureFault.TOO_LARGE),
    ("a signature byte too many", fields(signatures=padded(SIGNATURE, MAX_FIELD_BYTES + 1)), SignatureFault.TOO_LARGE),
    ("a label too many", many(MAX_SIGNATURES + 1), SignatureFault.TOO_LARGE),
    ("a component too many", fields(inputs=INPUT.replace(b'"@method"', b" ".join(b'"x%d"' % n for n in range(MAX_COMPONENTS + 1)))), SignatureFault.TOO_LARGE),
]  # fmt: skip


@pytest.mark.parametrize(("why", "message", "fault"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_not_as_it_should_be_is_refused(why: str, message: Fields, fault: SignatureFault):
    with pytest.raises(Rejected) as raised:
        read_claimed(message, TAG)
    assert raised.value.refused.fault is fault


AT_THE_BOUND = [
    fields(inputs=padded(INPUT, MAX_FIELD_BYTES)),
    fields(signatures=padded(SIGNATURE, MAX_FIELD_BYTES)),
    many(MAX_SIGNATURES),
    fields(inputs=INPUT.replace(b'"@method"', b" ".join(b'"x%d"' % n for n in range(MAX_COMPONENTS)))),
]


@pytest.mark.parametrize("message", AT_THE_BOUND, ids=["input", "signature", "labels", "components"])
def test_what_is_just_within_the_bounds_is_read(message: Fields):
    assert isinstance(read_claimed(message, TAG), Claimed)


BITS_OF_SYNTAX = st.sampled_from(
    [INPUT, SIGNATURE, b"a", b"=", b"(", b")", b";", b",", b" ", b'"', b":", b"tag", b"\xff", b"\t"]
)


@given(st.lists(BITS_OF_SYNTAX, max_size=8), st.lists(BITS_OF_SYNTAX, max_size=8))
@settings(max_examples=150)
def test_any_bytes_are_read_or_refused_and_nothing_else(inputs: list[bytes], signatures: list[bytes]):
    message = fields(inputs=b"".join(inputs), signatures=b"".join(signatures))
    try:
        claimed = read_claimed(message, TAG)
    except Rejected:
        return
    assert dict(claimed.params.parameters)["tag"] == TAG
