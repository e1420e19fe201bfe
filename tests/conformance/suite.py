"""Running http-cache-tests: its own origin server, its own client, its list of tests."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conformance.packages import Node, find_node, suite_directory
from tests.conformance.score import Kind, Result, Scored, Test, score
from tests.kit.client import get
from tests.kit.waiting import TookTooLong

_SERVER_WITHIN = 15.0
_RUN_WITHIN = 120.0
"""Seconds: a run takes 12 to 14 on an idle machine."""
_POLL = 0.05

_LIST = """
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
console.log(JSON.stringify([...tests, surrogate]))
"""
"""Prints the tests as data; the suite's own export script wants a validator among its development packages."""


class SuiteBroke(AssertionError):
    """The suite itself did not run: this says nothing about the edge."""


@asynccontextmanager
async def suite_origin(port: int) -> AsyncIterator[str]:
    """The suite's own origin server on that port; yields its URL."""
    node, directory = find_node(), suite_directory()
    pid_file = directory.parent / f"server-{port}.pid"
    environment = _settings(protocol="http", port=str(port), pidfile=str(pid_file))
    process = await asyncio.create_subprocess_exec(
        node.node,
        "--no-warnings",
        "server/server.mjs",
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(_SERVER_WITHIN):
            while not await _listens(url):  # noqa: ASYNC110 - another process rings no bell
                await asyncio.sleep(_POLL)
        if process.returncode is not None:
            raise SuiteBroke(f"the suite's server ended with {process.returncode}; is port {port} taken?")
        yield url
    except TimeoutError:
        raise TookTooLong(f"the suite's server did not listen on {port} within {_SERVER_WITHIN} s") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        pid_file.unlink(missing_ok=True)


async def run_suite(base: str, *, only: str = "") -> list[Scored]:
    """Run all tests (or the one with id `only`) against the proxy at `base`, and score them."""
    node, directory = find_node(), suite_directory()
    tests = await list_tests()
    output = await _node(node, directory, "cli.mjs", settings=_settings(base=base.rstrip("/"), id=only))
    if only:
        print(output)
        return []
    results: dict[str, Result] = json.loads(output)
    return score(tests, results)


async def list_tests() -> list[Test]:
    """Every test of the suite, browser-only ones too."""
    node, directory = find_node(), suite_directory()
    output = await _node(node, directory, "--input-type=module", "--eval", _LIST, settings=_settings())
    return [
        Test(
            id=test["id"],
            suite=suite["id"],
            kind=Kind(test.get("kind", "required")),
            depends_on=tuple(test.get("depends_on", ())),
            browser_only=test.get("browser_only", False),
        )
        for suite in json.loads(output)
        for test in suite["tests"]
    ]


def _settings(**values: str) -> dict[str, str]:
    """The suite reads its options from where npm would have put them."""
    options = {"id": ""} | values
    return dict(os.environ) | {f"npm_package_config_{name}": value for name, value in options.items()}


async def _listens(url: str) -> bool:
    try:
        return (await get(f"{url}/state/nobody")).status == 404
    except ConnectionError:
        return False


async def _node(node: Node, directory: Path, *arguments: str, settings: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        node.node,
        "--no-warnings",
        *arguments,
        cwd=directory,
        env=settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_RUN_WITHIN):
            output, errors = await process.communicate()
    except TimeoutError:
        raise TookTooLong(f"the suite's client ran for more than {_RUN_WITHIN} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not output:
        raise SuiteBroke(f"node ended with {process.returncode}:\n{errors.decode('utf-8', 'replace')}")
    return output.decode()
