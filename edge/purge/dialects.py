"""The shapes that purges come in. PURE.

Owns: `read`, which makes one `PurgeRequest` of any accepted shape: ours, those of Fastly and of Cloudflare, and PURGE. Rules:
what a shape does not know is refused, and where it stands is said. Paths are edge.purge.dialects_routes', answers
edge.purge.dialects_answers', the JSON of orders edge.semantics.purge_order's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import assert_never

from edge.purge.declined import Declined, Reason, Unacceptable
from edge.purge.dialects_routes import Purge, Shape, parameters, text_of_target
from edge.purge.requests import MAX_NOTE, Asking, Naming, PurgeRequest, Wait
from edge.purge.requests_json import (
    Object,
    flag_of,
    list_of,
    object_of,
    only,
    pointer,
    read_object,
    text_of,
)
from edge.purge.signing.message import Message
from edge.semantics.message import Fields
from edge.settings.units import parse_duration, render_duration

DEFAULT_WAIT = 5.0
"""Seconds, where ?wait= comes without ?timeout=."""

_JSON = re.compile(rb'application/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(rb"[\x21-\x7e]{1,255}")


def read(purge: Purge, message: Message, asking: Asking) -> PurgeRequest | Declined:
    """One request of any shape. The message's body is whole; that it is signed was seen to."""
    try:
        request = _read(purge, message, asking)
        key = _idempotency_key(message.fields)
    except Unacceptable as fault:
        return fault.why
    return replace(request, idempotency_key=key)


def _read(purge: Purge, message: Message, asking: Asking) -> PurgeRequest:
    if purge.shape is Shape.OURS:
        return _options(_ours(_body(message), asking), message.target.partition(b"?")[2], asking)
    if b"?" in message.target and purge.shape not in {Shape.FASTLY_URL, Shape.METHOD}:
        raise Unacceptable(Reason.BAD_QUERY, "this path has no query")
    match purge.shape:
        case Shape.CLOUDFLARE:
            return _cloudflare(_body(message), asking, asking.site(purge.site, "path"))
        case Shape.FASTLY_KEYS:
            return _fastly_keys(message, asking, asking.site(purge.site, "path"))
        case Shape.FASTLY_KEY | Shape.FASTLY_ALL | Shape.FASTLY_URL | Shape.METHOD:
            return _bodiless(purge, message, asking)
        case _ as never:
            assert_never(never)


def _ours(said: Object, asking: Asking) -> PurgeRequest:
    only(
        said, ("urls", "variants", "site", "tags", "prefixes", "hosts", "sites", "everything", "soft", "note")
    )
    naming = Naming(asking)
    for text, where in _texts(said, "urls"):
        naming.url(text, where)
    for one, where in _list(said, "variants"):
        _variant(naming, object_of(one, where), where)
    if "tags" in said:
        site = asking.site(text_of(said["site"], "/site") if "site" in said else None, "/site")
        for text, where in _texts(said, "tags"):
            naming.tag(site, text, where)
    elif "site" in said:
        raise Unacceptable(
            Reason.UNKNOWN_MEMBER, "site goes with tags; a whole site is named by sites", "/site"
        )
    for text, where in _texts(said, "prefixes"):
        naming.prefix(text, where)
    for text, where in _texts(said, "hosts"):
        naming.host(text, where)
    for text, where in _texts(said, "sites"):
        naming.site(text, where)
    if flag_of(said.get("everything", False), "/everything"):
        naming.everything()
    soft = flag_of(said.get("soft", False), "/soft")
    return PurgeRequest(naming.items(), soft, _note(text_of(said.get("note", ""), "/note")))


def _variant(naming: Naming, said: Object, where: str) -> None:
    only(said, ("url", "headers"), where)
    if len(said) < 2:
        raise Unacceptable(Reason.BAD_VARIANT, "a variant has a url and headers", where)
    headers = object_of(said["headers"], pointer(where, "headers"))
    at = pointer(where, "headers")
    fields = {name: text_of(value, pointer(at, name)) for name, value in headers.items()}
    naming.variant(text_of(said["url"], pointer(where, "url")), fields, where)


def _cloudflare(said: Object, asking: Asking, site: str) -> PurgeRequest:
    only(said, ("files", "tags", "hosts", "prefixes", "purge_everything"))
    naming = Naming(asking, within=site)
    for one, where in _list(said, "files"):
        if isinstance(one, dict) and "headers" in one:
            _variant(naming, one, where)
        elif isinstance(one, dict):
            only(one, ("url", "headers"), where)
            naming.url(text_of(one.get("url"), pointer(where, "url")), where)
        else:
            naming.url(text_of(one, where), where)
    for text, where in _texts(said, "tags"):
        naming.tag(site, text, where)
    for text, where in _texts(said, "hosts"):
        naming.host(text, where)
    for text, where in _texts(said, "prefixes"):
        naming.prefix(text, where)
    if flag_of(said.get("purge_everything", False), "/purge_everything"):
        naming.site(site, "/purge_everything")
    return PurgeRequest(naming.items())


def _fastly_keys(message: Message, asking: Asking, site: str) -> PurgeRequest:
    naming = Naming(asking)
    _surrogate_keys(naming, message.fields, site)
    if message.body or b"surrogate-key" not in message.fields:
        said = _body(message)
        only(said, ("surrogate_keys",))
        for text, where in _texts(said, "surrogate_keys"):
            naming.tag(site, text, where)
    return PurgeRequest(naming.items(), _soft(message.fields))


def _bodiless(purge: Purge, message: Message, asking: Asking) -> PurgeRequest:
    if message.body:
        raise Unacceptable(Reason.UNEXPECTED_BODY, "this request has no body")
    naming = Naming(asking)
    match purge.shape:
        case Shape.FASTLY_KEY:
            naming.tag(asking.site(purge.site, "path"), purge.said, "path")
        case Shape.FASTLY_ALL:
            naming.site(asking.site(purge.site, "path"), "path")
        case Shape.FASTLY_URL:
            absolute = re.match(r"https?://", purge.said, re.IGNORECASE) is not None
            naming.url(purge.said if absolute else f"http://{purge.said}", "path")
        case _:
            _by_method(naming, message, asking)
    return PurgeRequest(naming.items(), _soft(message.fields))


def _by_method(naming: Naming, message: Message, asking: Asking) -> None:
    """PURGE: the URL it is sent to, or the tags of Surrogate-Key of the site that the host belongs to."""
    if b"surrogate-key" not in message.fields:
        naming.uri(message.authority, text_of_target(message.target), "target")
        return
    site = asking.sites.find(message.authority.host)
    if site is None:
        raise Unacceptable(Reason.UNKNOWN_HOST, f"no site serves {message.authority.host.decode()}", "Host")
    _surrogate_keys(naming, message.fields, site.name)


def _surrogate_keys(naming: Naming, fields: Fields, site: str) -> None:
    for line in fields.all(b"surrogate-key"):
        for tag in line.split():
            naming.tag(site, tag.decode("utf-8", "surrogateescape"), "Surrogate-Key")


# --- parts -----------------------------------------------------------------------------------------------------------


def _body(message: Message) -> Object:
    kinds = message.fields.all(b"content-type")
    if len(kinds) != 1 or _JSON.fullmatch(kinds[0]) is None:
        raise Unacceptable(Reason.CONTENT_TYPE, "the body is JSON, and has to say so", "Content-Type")
    return read_object(message.body)


def _list(said: Object, name: str) -> list[tuple[object, str]]:
    if name not in said:
        return []
    at = pointer("", name)
    return [(one, pointer(at, number)) for number, one in enumerate(list_of(said[name], at))]


def _texts(said: Object, name: str) -> list[tuple[str, str]]:
    return [(text_of(one, where), where) for one, where in _list(said, name)]


def _note(text: str) -> str:
    if len(text) > MAX_NOTE or not text.isprintable():
        raise Unacceptable(
            Reason.BAD_NOTE, f"a note of {len(text)} characters, or with control characters", "/note"
        )
    return text


def _soft(fields: Fields) -> bool:
    said = fields.all(b"fastly-soft-purge")
    if said not in {(), (b"1",)}:
        raise Unacceptable(Reason.BAD_FIELD, "Fastly-Soft-Purge is 1 or is not there", "Fastly-Soft-Purge")
    return bool(said)


def _idempotency_key(fields: Fields) -> str | None:
    said = fields.all(b"idempotency-key")
    if not said:
        return None
    if len(said) > 1 or _IDEMPOTENCY_KEY.fullmatch(said[0]) is None:
        raise Unacceptable(
            Reason.BAD_IDEMPOTENCY_KEY, "not one key of 1 to 255 visible characters", "Idempotency-Key"
        )
    return said[0].decode("ascii")


def _options(request: PurgeRequest, query: bytes, asking: Asking) -> PurgeRequest:
    """What the query of our own shape adds."""
    timeout: float | None = None
    for name, said in parameters(query):
        if name == "dry_run" and said in {"1", "true"}:
            request = replace(request, dry_run=True)
        elif name == "wait" and said in {wait.value for wait in Wait}:
            request = replace(request, wait=Wait(said))
        elif name == "timeout":
            timeout = parse_duration(said)
            if timeout is None or timeout > asking.max_wait:
                most = render_duration(asking.max_wait)
                raise Unacceptable(Reason.BAD_QUERY, f"timeout is a duration of at most {most}", "timeout")
        else:
            raise Unacceptable(Reason.BAD_QUERY, "a parameter or value that is not known", name[:60])
    if timeout is not None and request.wait is None:
        raise Unacceptable(Reason.BAD_QUERY, "timeout goes with wait", "timeout")
    if request.dry_run and request.wait is not None:
        raise Unacceptable(Reason.BAD_QUERY, "there is nothing to wait for in a dry run", "wait")
    longest = min(DEFAULT_WAIT, asking.max_wait) if timeout is None else timeout
    return replace(request, timeout=longest if request.wait is not None else 0.0)
