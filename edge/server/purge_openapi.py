"""The OpenAPI document of the purge API. OpenAPI 3.1.

Owns: `openapi`. Rules: lists of reasons and bounds come from the code, so that the document cannot say anything else; every
answer that there can be is described; tests/server/test_purge_openapi.py holds the API to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from edge.purge.declined import SAID, Reason
from edge.purge.dialects_routes import DEFAULT_PAGE, MAX_PAGE
from edge.purge.requests import MAX_NOTE
from edge.purge.signing.faults import SignatureFault
from edge.semantics.purge_order import MAX_ITEMS
from edge.semantics.selectors import MAX_TAG_BYTES, MAX_URL_BYTES, MAX_VARIANT_FIELDS

Schema = dict[str, Any]

_NEVER_SHOWN = (SignatureFault.UNKNOWN_KEY, SignatureFault.ALGORITHM_MISMATCH)
"""A caller never sees these."""


@cache
def openapi() -> Schema:
    """The document; not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perigee purge API",
            "version": "1",
            "description": "Signed purges (RFC 9421) into a durable log that every node applies; any node can be asked.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/purges": {"post": _post_purges(), "get": _get_purges()},
            "/v1/purges/{id}": {"get": _get_purge()},
            "/v1/nodes": {
                "get": _operation("nodes", "All nodes that are known", [], {"200": _json("Nodes")}, _READ)
            },
            "/v1/openapi.json": {
                "get": _operation("openapi", "This document", [], {"200": _json("Any")}, (400, 413))
            },
            "/service/{site}/purge/{key}": {"post": _fastly("fastlyKey", "One tag of a site", _SITE, _KEY)},
            "/service/{site}/purge": {"post": _fastly_keys()},
            "/service/{site}/purge_all": {"post": _fastly("fastlyAll", "All of a site", _SITE)},
            "/purge/{url}": {
                "post": _fastly("fastlyUrl", "One URL, its scheme left out or not; slashes as they are", _URL)
            },
            "/zones/{site}/purge_cache": {"post": _cloudflare("cloudflare")},
            "/client/v4/zones/{site}/purge_cache": {"post": _cloudflare("cloudflareV4")},
        },
        "components": {"schemas": _schemas(), "securitySchemes": {"signature": _SIGNATURE}},
        "security": [{"signature": []}],
    }


_SIGNATURE: Schema = {
    "type": "apiKey",
    "in": "header",
    "name": "Signature",
    "description": 'With Signature-Input: RFC 9421 over "@method" "@target-uri", and with a body "content-digest" '
    '"content-type", and whichever of Idempotency-Key, Surrogate-Key and Fastly-Soft-Purge are sent; created, nonce, keyid, '
    "tag=cdn-purge. On the admin address reading needs none.",
}

_READ = (400, 401, 413, 503)
_PURGE = (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)


def _parameter(name: str, place: str, about: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "description": about, "schema": schema}


_SITE = _parameter("site", "path", "A site's name.", {"type": "string", "minLength": 1})
_KEY = _parameter("key", "path", "A tag.", {"type": "string", "minLength": 1, "maxLength": MAX_TAG_BYTES})
_URL = _parameter("url", "path", "Host, path and query.", {"type": "string", "minLength": 1})
_IDEMPOTENCY = _parameter(
    "Idempotency-Key",
    "header",
    "Sent again with the same purge, it is the same order.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
)
_SOFT = _parameter("Fastly-Soft-Purge", "header", "Stale instead of gone.", {"type": "string", "enum": ["1"]})


def _operation(
    name: str, summary: str, parameters: list[Schema], answers: Schema, statuses: Iterable[int], **more: Any
) -> Schema:
    problems = {str(status): _json("Problem", "application/problem+json") for status in statuses}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": problems | {"500": _json("Problem", "application/problem+json")} | answers,
        **more,
    }


def _json(schema: str, kind: str = "application/json") -> Schema:
    return {"description": schema, "content": {kind: {"schema": _ref(schema)}}}


def _ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


def _body(schema: str, *, required: bool = True) -> Schema:
    return {"required": required, "content": {"application/json": {"schema": _ref(schema)}}}


def _post_purges() -> Schema:
    parameters = [
        _parameter(
            "wait",
            "query",
            "Answer once the nodes have applied it.",
            {"type": "string", "enum": ["global", "region"]},
        ),
        _parameter(
            "timeout", "query", "With wait: for how long.", {"type": "string", "pattern": "^[0-9]{1,2}s$"}
        ),
        _parameter(
            "dry_run", "query", "Only tell what it would do.", {"type": "string", "enum": ["1", "true"]}
        ),
        _IDEMPOTENCY,
    ]
    answers = {"200": _json("OrderedOrWould"), "202": _json("Ordered")}
    return _operation("purge", "Purge", parameters, answers, (*_PURGE, 408), requestBody=_body("Purge"))


def _get_purges() -> Schema:
    parameters = [
        _parameter(
            "limit",
            "query",
            "Of a page.",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE},
        ),
        _parameter(
            "before",
            "query",
            "Purges before this place in the log.",
            {"type": "integer", "minimum": 1, "maximum": 10**15 - 1},
        ),
    ]
    return _operation("purges", "Who purged what, when", parameters, {"200": _json("Purges")}, _READ)


def _get_purge() -> Schema:
    parameters = [_parameter("id", "path", "Of a purge.", {"type": "string", "minLength": 1})]
    return _operation(
        "receipt", "How far it has come", parameters, {"200": _json("Receipted")}, (*_READ, 404)
    )


def _fastly(name: str, summary: str, *parameters: Schema) -> Schema:
    said = [*parameters, _SOFT, _IDEMPOTENCY]
    return _operation(name, summary, said, {"200": _json("FastlyOk")}, _PURGE)


def _fastly_keys() -> Schema:
    keys = _parameter(
        "Surrogate-Key", "header", "Tags with spaces between.", {"type": "string", "minLength": 1}
    )
    said = [_SITE, keys, _SOFT, _IDEMPOTENCY]
    body = _body("FastlyKeys", required=False)
    return _operation(
        "fastlyKeys", "Tags of a site", said, {"200": _json("FastlyIds")}, _PURGE, requestBody=body
    )


def _cloudflare(name: str) -> Schema:
    body = _body("CloudflarePurge")
    said = [_SITE, _IDEMPOTENCY]
    return _operation(
        name, "Parts or all of a site", said, {"200": _json("CloudflareOk")}, _PURGE, requestBody=body
    )


# --- schemas ---------------------------------------------------------------------------------------------------------

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "number"}


def _object(members: Schema, *, optional: Iterable[str] = (), closed: bool = False) -> Schema:
    required = sorted(members.keys() - set(optional))
    made: Schema = {"type": "object", "properties": members, "required": required}
    return made | ({"additionalProperties": False} if closed else {})


def _list(items: Schema, most: int = MAX_ITEMS) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _schemas() -> dict[str, Schema]:
    return _asked() | _told() | _others()


def _asked() -> dict[str, Schema]:
    url: Schema = {
        "type": "string",
        "maxLength": MAX_URL_BYTES,
        "examples": ["https://www.example.org/a?b=c"],
    }
    tag: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TAG_BYTES}
    variant = _object(
        {
            "url": url,
            "headers": {
                "type": "object",
                "additionalProperties": _TEXT,
                "minProperties": 1,
                "maxProperties": MAX_VARIANT_FIELDS,
            },
        },
        closed=True,
    )
    purge = {
        "urls": _list(url),
        "variants": _list(_ref("Variant")),
        "site": _TEXT,
        "tags": _list(tag),
        "prefixes": _list({"type": "string", "examples": ["www.example.org/blog/"]}),
        "hosts": _list({"type": "string", "examples": ["www.example.org"]}),
        "sites": _list(_TEXT),
        "everything": _FLAG,
        "soft": _FLAG,
        "note": {"type": "string", "maxLength": MAX_NOTE},
    }
    cloudflare = {
        "files": _list({"anyOf": [url, _ref("Variant"), _object({"url": url}, closed=True)]}),
        "tags": _list(tag),
        "hosts": _list(_TEXT),
        "prefixes": _list(_TEXT),
        "purge_everything": _FLAG,
    }
    return {
        "Any": {"type": "object"},
        "Variant": variant,
        "Purge": _object(purge, optional=purge, closed=True) | {"minProperties": 1},
        "FastlyKeys": _object({"surrogate_keys": _list(tag) | {"minItems": 1}}, closed=True),
        "CloudflarePurge": _object(cloudflare, optional=cloudflare, closed=True) | {"minProperties": 1},
    }


def _told() -> dict[str, Schema]:
    ordered = {
        "id": _TEXT,
        "seq": _COUNT,
        "history": _TEXT,
        "accepted": _COUNT,
        "repeated": _FLAG,
        "status_url": _TEXT,
        "receipt": _ref("Receipt"),
    }
    order = {
        "id": _TEXT,
        "seq": _COUNT,
        "at": _NUMBER,
        "by": _TEXT,
        "soft": _FLAG,
        "note": _TEXT,
        "accepted": _COUNT,
        "items": _all({"type": "object"}),
        "status_url": _TEXT,
    }
    counts = {"objects": _COUNT, "bytes": _COUNT, "hot_objects": _COUNT, "complete": _FLAG}
    would = {
        "dry_run": {"const": True},
        "accepted": _COUNT,
        "soft": _FLAG,
        "total": _object(counts),
        "nodes": _all(_object({"node": _TEXT} | counts)),
        "silent": _all(_TEXT),
    }
    return {
        "Receipt": _receipt(),
        "Ordered": _object(ordered, optional=["receipt"]),
        "Would": _object(would),
        "OrderedOrWould": {"anyOf": [_ref("Ordered"), _ref("Would")]},
        "Receipted": _object(order | {"history": _TEXT, "receipt": _ref("Receipt")}),
        "Purges": _object({"purges": _all(_object(order)), "next": _or_null(_TEXT)}),
        "Nodes": _object({"surveyed": _FLAG, "nodes": _all({"type": "object"})}),
    }


def _receipt() -> Schema:
    node = {"node": _TEXT, "region": _TEXT}
    missing = _all(_object(node | {"applied": _COUNT, "silent": _NUMBER, "contested": _FLAG}))
    counts = {"region": _TEXT, "applied": _COUNT, "pending": _COUNT, "away": _COUNT}
    return _object(
        {
            "done": _FLAG,
            "surveyed": _FLAG,
            "region": _or_null(_TEXT),
            "regions": _all(_object(counts)),
            "applied": _all(_object(node | {"after": _or_null(_NUMBER)})),
            "pending": missing,
            "away": missing,
            "seconds": _or_null(_object({"p50": _NUMBER, "p99": _NUMBER})),
        }
    )


def _all(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _others() -> dict[str, Schema]:
    reasons = [reason.value for reason in Reason]
    reasons += [fault.value for fault in SignatureFault if fault not in _NEVER_SHOWN]
    problem = {
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "reason": {"type": "string", "enum": sorted(reasons)},
        "detail": _TEXT,
        "instead": _TEXT,
        "where": _TEXT,
        "id": _TEXT,
        "seq": _COUNT,
        "status_url": _TEXT,
    }
    ok = {
        "success": {"const": True},
        "errors": {"type": "array"},
        "messages": {"type": "array"},
        "result": _object({"id": _TEXT}),
    }
    return {
        "Problem": _object(problem, optional=["where", "id", "seq", "status_url"])
        | {"description": "\n".join(f"{reason.value}: {said.instead}" for reason, said in SAID.items())},
        "FastlyOk": _object({"status": {"const": "ok"}, "id": _TEXT}),
        "FastlyIds": {"type": "object", "additionalProperties": _TEXT},
        "CloudflareOk": _object(ok),
    }
