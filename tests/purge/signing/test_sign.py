"""What we sign is what RFC 9421 says, what we verify, and what another implementation verifies."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import http_message_signatures as theirs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import ClientFault
from edge.purge.signing.digest import DigestAlgorithm
from edge.purge.signing.faults import Rejected
from edge.purge.signing.keys import Algorithm
from edge.purge.signing.private_keys import material_of
from edge.purge.signing.sign import SigningKey, SigningOptions, covered_by_default, request_to, sign
from edge.purge.signing.verify import Verified, verify
from edge.semantics.message import Authority, Fields
from tests.kit.rfc9421 import CREATED, ED25519_PRIVATE, REQUEST, VECTORS
from tests.kit.signed import BODY, NONCE, NOW, RING, SHARED, SIGNING, URL, signed, unsigned


def test_the_rfcs_ed25519_signature_over_its_own_components():
    key = SigningKey("test-key-ed25519", Algorithm.ED25519, ED25519_PRIVATE)
    components = ("date", "@method", "@path", "@authority", "content-type", "content-length")
    options = SigningOptions(components=components, label="sig-b26", alg=False, tag=None)
    lines = dict(sign(REQUEST, key, now=CREATED, nonce="unlike the RFC's", options=options))
    assert lines.keys() == {b"Signature-Input", b"Signature"}
    of_the_rfc = VECTORS[-1].params.decode()
    assert lines[b"Signature-Input"].decode() == "sig-b26=" + of_the_rfc.replace(
        ";keyid", ';nonce="unlike the RFC\'s";keyid'
    )


def test_the_lines_of_a_request_with_a_body():
    digest, inputs, signature = sign(unsigned(), SIGNING, now=NOW + 0.9, nonce=NONCE)
    assert digest[0] == b"Content-Digest"
    assert inputs == (
        b"Signature-Input",
        b'purge=("@method" "@target-uri" "content-digest" "content-type");created=%d;nonce="%b";keyid="deploy"'
        b';alg="ed25519";tag="cdn-purge"' % (NOW, NONCE.encode()),
    )
    assert signature[0] == b"Signature"


def test_a_request_without_a_body_needs_no_digest():
    inputs, _ = sign(unsigned(b""), SIGNING, now=NOW, nonce=NONCE)
    assert inputs[1].startswith(b'purge=("@method" "@target-uri");')


def test_a_digest_that_is_there_stays():
    once = signed(options=SigningOptions(digest=DigestAlgorithm.SHA_512))
    assert (once.fields.get(b"content-digest") or b"").startswith(b"sha-512=")
    unsigned_again = request_to(
        URL, fields=once.fields.without((b"signature", b"signature-input")), body=BODY
    )
    assert [name for name, _ in sign(unsigned_again, SIGNING, now=NOW, nonce=NONCE)] == [
        b"Signature-Input",
        b"Signature",
    ]


def test_expires_is_reckoned_from_created():
    inputs = dict(
        sign(unsigned(b""), SIGNING, now=NOW, nonce=NONCE, options=SigningOptions(expires_after=60))
    )[b"Signature-Input"]
    assert b"created=%d;expires=%d;" % (NOW, NOW + 60) in inputs


def test_fields_that_change_the_meaning_are_covered():
    message = unsigned(b"", method="PURGE", lines=((b"Surrogate-Key", b"a"), (b"X-Other", b"1")))
    assert covered_by_default(message) == ("@method", "@target-uri", "surrogate-key")


def test_a_body_without_a_type_cannot_be_signed():
    with pytest.raises(Rejected, match="content-type, which the request does not have"):
        sign(request_to(URL, body=b"x"), SIGNING, now=NOW, nonce=NONCE)


def test_a_key_does_not_show_what_signs():
    assert "\\x1f" not in repr(SIGNING)


URLS = [
    ("https://Edge.Example/v1?a=%2F", Authority(b"https", b"edge.example", 443), b"/v1?a=%2F"),
    ("http://127.0.0.1:8081", Authority(b"http", b"127.0.0.1", 8081), b"/"),
    ("http://[::1]:8081/a", Authority(b"http", b"[::1]", 8081), b"/a"),
]


@pytest.mark.parametrize(("url", "authority", "target"), URLS, ids=[row[0] for row in URLS])
def test_a_request_to_a_url(url: str, authority: Authority, target: bytes):
    message = request_to(url, method="PURGE")
    assert (message.method, message.authority, message.target) == (b"PURGE", authority, target)


@pytest.mark.parametrize(
    "url",
    ["", "edge.example/a", "ftp://a/", "http:///a", "http://u@a/", "http://a/ b", "http://a/#b", "http://a/\u00e9", "http://a?b",
     "http://a\n/", "http://a:0/", "http://a:x/"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(ClientFault):
        request_to(url)


# --- against http-message-signatures, another implementation of the RFC ---


@dataclass
class TheirRequest:
    """What their resolver of components wants of a request."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class TheirKeys(theirs.HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> object:
        return (
            Ed25519PrivateKey.from_private_bytes(SIGNING.private).public_key()
            if key_id == "deploy"
            else SHARED.private
        )

    def resolve_private_key(self, key_id: str) -> object:
        return Ed25519PrivateKey.from_private_bytes(SIGNING.private) if key_id == "deploy" else SHARED.private


THEIRS = [
    (SIGNING, theirs.algorithms.ED25519),
    (SHARED, theirs.algorithms.HMAC_SHA256),
]
WIDE = (
    "@method",
    "@authority",
    "@target-uri",
    "@path",
    "@query",
    "@scheme",
    "content-type",
    "content-digest",
)


@pytest.mark.parametrize(("key", "algorithm"), THEIRS, ids=["ed25519", "hmac-sha256"])
def test_another_implementation_verifies_what_we_sign(key: SigningKey, algorithm: Any):
    now = dt.datetime.now(dt.UTC).timestamp()  # theirs reads the clock
    message = signed(key=key, now=now, options=SigningOptions(components=WIDE))
    headers = {name.decode().title(): value.decode() for name, value in message.fields}
    verifier = theirs.HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=TheirKeys())
    (result,) = verifier.verify(
        TheirRequest("POST", URL, headers), max_age=dt.timedelta(minutes=5), body=BODY
    )
    assert result.parameters["keyid"] == key.id


@pytest.mark.parametrize(("key", "algorithm"), THEIRS, ids=["ed25519", "hmac-sha256"])
def test_we_verify_what_another_implementation_signs(key: SigningKey, algorithm: Any):
    request = TheirRequest("POST", URL, {name.decode(): value.decode() for name, value in unsigned().fields})
    signer = theirs.HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=TheirKeys())
    signer.sign(
        request,
        key_id=key.id,
        created=dt.datetime.fromtimestamp(NOW, dt.UTC),
        nonce=NONCE,
        tag="cdn-purge",
        covered_component_ids=WIDE,
        body=BODY,
    )
    fields = Fields((name.encode(), value.encode()) for name, value in request.headers.items())
    verdict = verify(request_to(URL, fields=fields, body=BODY), RING, NOW)
    assert isinstance(verdict, Verified), verdict
    assert verdict.key.material == material_of(key)
