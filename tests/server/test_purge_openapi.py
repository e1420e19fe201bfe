"""The document says what the API does: schemathesis makes requests of it and holds the answers to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from requests.auth import AuthBase
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from edge.purge.declined import Reason
from edge.purge.signing.faults import SignatureFault
from edge.purge.signing.sign import request_to, sign
from edge.semantics.message import Fields
from edge.server.purge_openapi import openapi
from tests.kit.desks import ALL
from tests.kit.purge_apis import purge_api

CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    unsupported_method,
]


def test_every_reason_that_a_caller_can_be_told_stands_in_it():
    document = openapi()
    listed = set(document["components"]["schemas"]["Problem"]["properties"]["reason"]["enum"])
    hidden = {SignatureFault.UNKNOWN_KEY.value, SignatureFault.ALGORITHM_MISMATCH.value}
    assert listed == {reason.value for reason in Reason} | {fault.value for fault in SignatureFault} - hidden


def test_every_operation_is_tried():
    assert len(OPERATIONS) == sum(len(said) for said in openapi()["paths"].values())


def test_every_reference_has_something_behind_it():
    document = openapi()

    def references(said: object) -> Iterator[str]:
        if isinstance(said, dict):
            if isinstance(said.get("$ref"), str):
                yield said["$ref"]
            for inner in said.values():
                yield from references(inner)
        elif isinstance(said, list):
            for inner in said:
                yield from references(inner)

    found = set(references(document))
    schemas = document["components"]["schemas"]
    assert {reference.rpartition("/")[2] for reference in found} <= schemas.keys()
    assert schemas.keys() - {reference.rpartition("/")[2] for reference in found} == set()


@dataclass
class Running:
    """The API in a thread of its own: schemathesis does not await. url: of the admin address."""

    url: str
    nonces: int = 0


@contextmanager
def running() -> Iterator[Running]:
    ready, stop = threading.Event(), asyncio.Event()
    held: list[tuple[asyncio.AbstractEventLoop, str]] = []

    async def serve() -> None:
        async with purge_api() as node:
            node.office.change(rate=1_000_000)
            node.fleet.hear("fra-1", 1_000_000)
            held.append((asyncio.get_running_loop(), node.private))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10), "the API does not start"
        yield Running(held[0][1])
    finally:
        if held:
            held[0][0].call_soon_threadsafe(stop.set)
        thread.join(10)


class Signing(AuthBase):
    """Signs what is really sent."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._running.nonces += 1
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        assert isinstance(body, bytes)
        fields = Fields(
            (name.encode("latin-1"), value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in request.headers.items()
        )
        assert request.url is not None and request.method is not None
        message = request_to(request.url, method=request.method, body=body)
        message = replace(message, fields=fields)
        now = 1_795_478_400.0
        if body and b"content-type" not in fields:
            return request
        for name, value in sign(message, ALL, now=now, nonce=f"schemathesis-{self._running.nonces}"):
            request.headers[name.decode()] = value.decode()
        return request


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    with running() as made:
        yield made


UNSIGNED = {name: said for name, said in openapi().items() if name != "security"}
"""Every request is signed below; what is not is refused in tests/server/test_purge_api.py."""

OPERATIONS = {
    result.ok().label: result.ok()
    for result in schemathesis.openapi.from_dict(UNSIGNED).get_all_operations()
    if isinstance(result, Ok)
}


CANNOT_BE_WRONG = {"GET /v1/nodes", "GET /v1/openapi.json", "GET /v1/purges/{id}"}
"""They take nothing, or any text."""

BOTH_WAYS = [
    (label, mode)
    for label in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or label not in CANNOT_BE_WRONG
]


@pytest.mark.slow
@pytest.mark.parametrize(("label", "mode"), BOTH_WAYS)
def test_requests_made_of_it_are_answered_as_it_says(label: str, mode: GenerationMode, api: Running):
    """By the document (positive), and against it (negative)."""

    @settings(
        max_examples=15,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(base_url=api.url, auth=Signing(api), checks=CHECKS)

    ask()
