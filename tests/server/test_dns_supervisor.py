"""The processes of a DNS server, as real ones: they start, die, reload and end as they should."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.kit.dns_process import CHECKOUT, DnsProcess, network
from tests.kit.waiting import until

pytestmark = pytest.mark.slow


async def test_it_answers_by_udp_and_tcp_and_tells_about_itself(tmp_path: Path):
    async with DnsProcess(tmp_path, workers=2) as server:
        assert await server.texts("www.cdn.example.") == ["192.0.2.1"]
        assert (await server.ask("www.cdn.example.", tcp=True)).answer
        assert json.loads(await server.admin("/readyz"))["ready"] is True
        page = await server.admin("/metrics")
        assert 'perigee_dns_answers_total{pop="fra",reason="routed"} 2.0' in page
        assert "perigee_workers 2.0" in page
        server.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert (tmp_path / "routing.log").read_text().count("rloc=fra") == 2


async def test_a_worker_that_is_killed_is_replaced_and_no_query_is_refused(tmp_path: Path):
    async with DnsProcess(tmp_path) as server:
        first = server.workers
        os.kill(first[0], signal.SIGKILL)
        # It waits in the socket, which is the supervisor's, until the next worker is there.
        assert await server.texts("www.cdn.example.") == ["192.0.2.1"]
        assert server.workers != first
        assert "perigee_worker_restarts_total 1.0" in await server.admin("/metrics")


async def test_a_changed_file_is_taken_and_a_bad_one_is_not(tmp_path: Path):
    async with DnsProcess(tmp_path) as server:
        server.file.write_text(network("second"), encoding="utf-8")
        await server.until_told(lambda told: told == ['"second"'], "text.cdn.example.", "TXT")
        server.file.write_text(network("third").replace("[[zone]]", "[[zones]]"), encoding="utf-8")
        server.send_signal(signal.SIGHUP)

        async def complains() -> bool:
            return "older settings are in force" in await server.admin("/readyz")

        await until(complains)
        os.kill(
            server.workers[0], signal.SIGKILL
        )  # its successor has the settings in force, not what stands in the file
        assert await server.texts("text.cdn.example.", "TXT") == ['"second"']
        server.file.write_text(network("fourth"), encoding="utf-8")
        server.send_signal(signal.SIGHUP)
        await server.until_told(lambda told: told == ['"fourth"'], "text.cdn.example.", "TXT")


async def test_what_counts_only_from_the_next_start_is_said(tmp_path: Path):
    async with DnsProcess(tmp_path) as server:
        server.file.write_text(network("second").replace("[dns]", '[dns]\nname = "other"'), encoding="utf-8")
        server.send_signal(signal.SIGHUP)
        await server.until_told(lambda told: told == ['"second"'], "text.cdn.example.", "TXT")
        assert "some settings count from the next start settings=dns.name\n" in server.log()


async def test_a_changed_zone_file_is_taken(tmp_path: Path):
    file = tmp_path / "more.zone"
    file.write_text('more 60 TXT "first"\n', encoding="utf-8")
    said = network().replace('origin = "cdn.example"', 'origin = "cdn.example"\nfile = "more.zone"')
    async with DnsProcess(tmp_path, said) as server:
        assert await server.texts("more.cdn.example.", "TXT") == ['"first"']
        file.write_text('more 60 TXT "the second"\n', encoding="utf-8")
        await server.until_told(lambda told: told == ['"the second"'], "more.cdn.example.", "TXT")


async def test_when_the_supervisor_dies_its_workers_end(tmp_path: Path):
    async with DnsProcess(tmp_path) as server:
        (worker,) = server.workers
        server.send_signal(signal.SIGKILL)
        await server.ended()

        async def is_gone() -> bool:
            return not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text()

        await until(is_gone)


async def test_an_address_in_use_ends_the_start_with_the_reason(tmp_path: Path):
    async with DnsProcess(tmp_path) as server:
        (tmp_path / "other").mkdir()
        other = [sys.executable, "-m", "tools.perigee", "dns", "--config", str(server.file), "--admin", "off"]
        other += ["--listen", f"127.0.0.1:{server.port}", "--data-dir", str(tmp_path / "other")]
        process = await asyncio.create_subprocess_exec(*other, cwd=CHECKOUT, stderr=asyncio.subprocess.PIPE)
        _, said = await process.communicate()
        assert process.returncode == 1
        assert b"the address is in use" in said
