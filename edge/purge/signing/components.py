"""The signature base: what exactly is signed. PURE. RFC 9421 sections 2 and 3.

Owns: the values of components and `signature_base`. Rules: identifiers and parameters are written by the strict writer of
structured fields, whatever their spelling was, so that signer and verifier have the same bytes; what is not supported is
refused and never left out: the parameters sf, bs, key (re-reading a field would be a second parser of it), req (there is no
request behind a request) and tr (trailers come too late), and components of responses.

A value with a line break could forge a line of the base; no value with anything but printable ASCII gets into one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, unquote_plus

from edge.purge.signing.faults import Rejected, SignatureFault
from edge.purge.signing.message import Message
from edge.semantics.structured import InnerList, Item, render_item, render_member

_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]*")
_MAX_QUERY_PARAMETERS = 1_000

_NO_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "sf": "fields are signed as they are written",
        "bs": "fields are signed as they are written",
        "key": "fields are signed whole",
        "req": "there is no request that this one answers",
        "tr": "trailers are not signed",
    }
)


def signature_base(params: InnerList, message: Message) -> bytes:
    """The bytes that are signed (RFC 9421 s2.5). params: covered components with the signature's parameters.

    Raises Rejected: MALFORMED, UNSUPPORTED_COMPONENT, MISSING_COMPONENT (it is covered, and the request lacks it).
    """
    lines: dict[bytes, bytes] = {}
    for item in params.items:
        identifier = render_item(item)
        if identifier in lines:
            raise Rejected(SignatureFault.MALFORMED, f"{identifier.decode()} is covered twice")
        value = component_value(item, message)
        if _PRINTABLE.fullmatch(value) is None:
            raise Rejected(
                SignatureFault.UNSUPPORTED_COMPONENT, f"{identifier.decode()} is not printable ASCII"
            )
        lines[identifier] = value
    lines[b'"@signature-params"'] = render_member(params)
    return b"\n".join(b"%b: %b" % line for line in lines.items())


def component_value(item: Item, message: Message) -> bytes:
    """The value of one component (RFC 9421 s2.1, s2.2). Raises Rejected as `signature_base` does."""
    name = item.value
    if not isinstance(name, str):
        raise Rejected(SignatureFault.MALFORMED, "a covered component is no string")
    if name == "@query-param":
        return _query_parameter(item, message)
    for parameter, _ in item.parameters:
        why = _NO_PARAMETERS.get(parameter, "it is not known")
        raise _unsupported(f'"{name}";{parameter}: {why}')
    return _derived(name, message) if name.startswith("@") else _field(name, message)


def _derived(name: str, message: Message) -> bytes:
    authority, target = message.authority, message.target
    if not target.startswith(b"/"):
        raise _unsupported("the request's target is no path")
    path, _, query = target.partition(b"?")
    match name:
        case "@method":
            return message.method
        case "@target-uri":
            return b"%b://%b%b" % (authority.scheme, authority.render(), target)
        case "@authority":
            return authority.render()
        case "@scheme":
            return authority.scheme
        case "@request-target":
            return target
        case "@path":
            return path
        case "@query":
            return b"?" + query
        case _:
            raise _unsupported(f"{name!a} is no component of a request")


def _field(name: str, message: Message) -> bytes:
    if _FIELD_NAME.fullmatch(name) is None:
        raise Rejected(SignatureFault.MALFORMED, f"{name!a} is no field name in lower case")
    value = message.fields.combined(name.encode("ascii"))
    if value is None:
        raise Rejected(SignatureFault.MISSING_COMPONENT, f"it covers {name}, which the request does not have")
    return value


def _query_parameter(item: Item, message: Message) -> bytes:
    """RFC 9421 s2.2.8: decoded as a form, encoded again in one way; a name that stands twice cannot be covered."""
    parameters = dict(item.parameters)
    name = parameters.pop("name", None)
    if not isinstance(name, str) or parameters:
        raise _unsupported('"@query-param" has a name, and no other parameter')
    query = message.target.partition(b"?")[2].decode("latin-1")
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, encoding="latin-1", max_num_fields=_MAX_QUERY_PARAMETERS
        )
    except ValueError:
        raise _unsupported(f'"@query-param" of more than {_MAX_QUERY_PARAMETERS} parameters') from None
    wanted = unquote_plus(name, "latin-1")
    values = [value for key, value in pairs if key == wanted]
    if len(values) != 1:
        raise Rejected(
            SignatureFault.MISSING_COMPONENT,
            f"it covers a query parameter that the request has {len(values)} times",
        )
    return quote(values[0], safe="*", encoding="latin-1").replace("~", "%7E").encode("ascii")


def _unsupported(detail: str) -> Rejected:
    return Rejected(SignatureFault.UNSUPPORTED_COMPONENT, detail)
