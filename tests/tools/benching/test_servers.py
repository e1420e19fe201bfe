"""Who is measured: their settings are ones that they take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge.settings.load import load_node
from tools.benching.servers import Nginx, Perigee, nginx_settings, perigee_settings
from tools.benching.workloads import WORKLOADS


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_our_settings_are_read_without_a_fault(tmp_path: Path, name: str):
    workload = WORKLOADS[name]()
    file = tmp_path / "node.toml"
    file.write_text(perigee_settings(workload, folder=tmp_path, port=18999, origin=18998))
    settings = load_node(file)
    assert settings.workers == 1
    assert settings.memory.capacity == workload.memory_mib << 20
    assert (settings.log.access == tmp_path / "access.log") is workload.access_log
    assert settings.limits.connections_per_client > workload.clients_at_once


@pytest.mark.slow
@pytest.mark.skipif(Nginx().version() is None, reason="nginx is not installed")
def test_nginx_takes_its_settings(tmp_path: Path):
    file = tmp_path / "nginx.conf"
    file.write_text(nginx_settings(WORKLOADS["log"](), folder=tmp_path, port=18999, origin=18998))
    command = ["nginx", "-t", "-q", "-p", str(tmp_path), "-c", str(file), "-e", "stderr"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_versions_are_said():
    assert (Perigee().version() or "").startswith("Perigee ")
    assert Nginx().version() is None or "nginx" in (Nginx().version() or "")
