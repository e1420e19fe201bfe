"""The signature base is what RFC 9421 says, to the byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.signing.components import component_value, signature_base
from edge.purge.signing.faults import Rejected, SignatureFault
from edge.purge.signing.message import Message
from edge.semantics.message import Authority, Fields
from edge.semantics.structured import InnerList, Item, NotStructured, parse_list
from tests.kit.rfc9421 import REQUEST, RSA_PSS_PUBLIC_PEM, VECTORS, Vector


def params_of(text: bytes) -> InnerList:
    (params,) = parse_list(text)
    assert isinstance(params, InnerList)
    return params


def base_of(vector: Vector) -> bytes:
    return b"\n".join((*vector.base, b'"@signature-params": ' + vector.params))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.section for vector in VECTORS])
def test_the_base_is_the_one_of_the_rfc(vector: Vector):
    assert signature_base(params_of(vector.params), REQUEST) == base_of(vector)


RSA = [vector for vector in VECTORS if b"rsa-pss" in vector.params]


@pytest.mark.parametrize("vector", RSA, ids=[vector.section for vector in RSA])
def test_the_rfcs_rsa_signatures_fit_our_bases(vector: Vector):
    key = load_pem_public_key(RSA_PSS_PUBLIC_PEM)
    assert isinstance(key, RSAPublicKey)
    base = signature_base(params_of(vector.params), REQUEST)
    key.verify(vector.signature, base, padding.PSS(padding.MGF1(SHA512()), 64), SHA512())


def test_the_worked_example_of_section_2_5():
    params = params_of(
        b'("@method" "@authority" "@path" "content-digest" "content-length" "content-type")'
        b';created=1618884473;keyid="test-key-rsa-pss"'
    )
    lines = signature_base(params, REQUEST).split(b"\n")
    assert lines[:3] == [b'"@method": POST', b'"@authority": example.com', b'"@path": /foo']
    assert lines[4:6] == [b'"content-length": 18', b'"content-type": application/json']


def to(authority: Authority, target: bytes, method: bytes = b"GET", *lines: tuple[bytes, bytes]) -> Message:
    return Message(method, authority, target, Fields(lines))


WWW = Authority(b"https", b"www.example.com", 443)
PORT = Authority(b"http", b"www.example.com", 8080)

DERIVED = [
    # RFC 9421 section, component, request, value
    ("2.2.1", "@method", to(WWW, b"/path?param=value", b"POST"), b"POST"),
    ("2.2.1 case counts", "@method", to(WWW, b"/", b"post"), b"post"),
    ("2.2.2", "@target-uri", to(WWW, b"/path?param=value"), b"https://www.example.com/path?param=value"),
    ("2.2.2 a port", "@target-uri", to(PORT, b"/a"), b"http://www.example.com:8080/a"),
    ("2.2.3", "@authority", to(WWW, b"/"), b"www.example.com"),
    ("2.2.3 a port", "@authority", to(PORT, b"/"), b"www.example.com:8080"),
    ("2.2.4", "@scheme", to(PORT, b"/"), b"http"),
    ("2.2.5", "@request-target", to(WWW, b"/path?param=value"), b"/path?param=value"),
    ("2.2.6", "@path", to(WWW, b"/path?param=value"), b"/path"),
    ("2.2.6 never decoded", "@path", to(WWW, b"/a%2Fb%20"), b"/a%2Fb%20"),
    ("2.2.7", "@query", to(WWW, b"/path?param=value&foo=bar&baz=batman"), b"?param=value&foo=bar&baz=batman"),
    ("2.2.7 as sent", "@query", to(WWW, b"/path?queryString"), b"?queryString"),
    ("2.2.7 none", "@query", to(WWW, b"/path"), b"?"),
    ("2.2.7 empty", "@query", to(WWW, b"/path?"), b"?"),
    ("2.1 several lines", "x-dictionary", to(WWW, b"/", b"GET", (b"X-Dictionary", b"a=1"), (b"x-dictionary", b"b=2;x")), b"a=1, b=2;x"),
    ("2.1 an empty field", "x-empty", to(WWW, b"/", b"GET", (b"X-Empty", b"")), b""),
    ("2.1 spaces inside stay", "x-ows", to(WWW, b"/", b"GET", (b"X-OWS", b"a  b\tc")), b"a  b\tc"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "name", "message", "value"), DERIVED, ids=[row[0] for row in DERIVED])
def test_a_components_value(why: str, name: str, message: Message, value: bytes):
    assert component_value(Item(name), message) == value


QUERY = to(
    WWW,
    b"/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&qux=&t=~",
)

PARAMETERS = [
    ("var", b"this%20is%20a%20big%0Amultiline%20value"),
    ("bar", b"with%20plus%20whitespace"),
    ("fa%C3%A7ade%22%3A%20", b"something"),
    ("qux", b""),
    ("t", b"%7E"),
]


@pytest.mark.parametrize(("name", "value"), PARAMETERS)
def test_a_query_parameter_is_encoded_in_one_way(name: str, value: bytes):
    assert component_value(Item("@query-param", (("name", name),)), QUERY) == value


REFUSED = [
    (b'"@status"', SignatureFault.UNSUPPORTED_COMPONENT, "no component of a request"),
    (b'"@signature-params"', SignatureFault.UNSUPPORTED_COMPONENT, "no component of a request"),
    (b'"date";sf', SignatureFault.UNSUPPORTED_COMPONENT, '"date";sf: fields are signed as they are written'),
    (b'"date";bs', SignatureFault.UNSUPPORTED_COMPONENT, '"date";bs'),
    (b'"date";key="a"', SignatureFault.UNSUPPORTED_COMPONENT, '"date";key: fields are signed whole'),
    (b'"date";tr', SignatureFault.UNSUPPORTED_COMPONENT, "trailers are not signed"),
    (b'"@method";req', SignatureFault.UNSUPPORTED_COMPONENT, "no request that this one answers"),
    (b'"date";x', SignatureFault.UNSUPPORTED_COMPONENT, "it is not known"),
    (b'"@query-param"', SignatureFault.UNSUPPORTED_COMPONENT, "has a name"),
    (b'"@query-param";name="Pet";req', SignatureFault.UNSUPPORTED_COMPONENT, "no other parameter"),
    (b'"@query-param";name="none"', SignatureFault.MISSING_COMPONENT, "0 times"),
    (b'"x-missing"', SignatureFault.MISSING_COMPONENT, "x-missing, which the request does not have"),
    (b'"Date"', SignatureFault.MALFORMED, "no field name in lower case"),
    (b'""', SignatureFault.MALFORMED, "no field name"),
    (b"date", SignatureFault.MALFORMED, "no string"),
    (b'"date" "@path" "date"', SignatureFault.MALFORMED, "covered twice"),
]


@pytest.mark.parametrize(("covered", "fault", "said"), REFUSED, ids=[row[0].decode() for row in REFUSED])
def test_what_is_not_supported_is_refused_with_its_reason(covered: bytes, fault: SignatureFault, said: str):
    with pytest.raises(Rejected, match=said.replace("(", ".")) as raised:
        signature_base(params_of(b"(" + covered + b")"), REQUEST)
    assert raised.value.refused.fault is fault


def test_a_query_parameter_that_stands_twice_cannot_be_covered():
    with pytest.raises(Rejected, match="2 times"):
        component_value(Item("@query-param", (("name", "a"),)), to(WWW, b"/?a=1&a=2"))


def test_a_flood_of_query_parameters_is_refused():
    with pytest.raises(Rejected, match="more than 1000"):
        component_value(Item("@query-param", (("name", "a"),)), to(WWW, b"/?" + b"a&" * 1_001))


@pytest.mark.parametrize("value", [b"a\nb", b"a\rb", b"a\x00b", b"caf\xc3\xa9", b"\x7f"])
def test_no_value_can_forge_a_line_of_the_base(value: bytes):
    message = replace(REQUEST, fields=Fields(((b"X", value),)))
    with pytest.raises(Rejected, match="not printable ASCII"):
        signature_base(InnerList((Item("x"),)), message)


@pytest.mark.parametrize("target", [b"*", b"http://example.com/", b""])
def test_a_target_that_is_no_path_has_no_components(target: bytes):
    with pytest.raises(Rejected, match="no path"):
        component_value(Item("@path"), replace(REQUEST, target=target))


@given(st.binary(max_size=60))
@settings(max_examples=150)
def test_any_covered_set_gives_a_base_or_one_of_our_faults(text: bytes):
    try:
        params = params_of(b"(" + text + b")")
    except (NotStructured, AssertionError, ValueError):
        return
    try:
        base = signature_base(params, REQUEST)
    except Rejected:
        return
    assert base.count(b"\n") == len(params.items)
