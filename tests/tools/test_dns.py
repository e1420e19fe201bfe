"""`perigee dns` refuses what it cannot use before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigFault
from tests.kit.dns_process import network
from tools.dns import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"log_level": "loud"},
            "command line: --log-level: 'loud' is not known; allowed: debug, info, warning, error",
        ),
        ({"log_format": "xml"}, "command line: --log-format: 'xml' is not known; allowed: text, json"),
    ],
)
def test_a_word_that_is_not_known_is_said_with_those_that_are(
    tmp_path: Path, words: dict[str, str], said: str
):
    with pytest.raises(ConfigFault) as fault:
        run(tmp_path / "network.toml", **words)
    assert fault.value.detail == said


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "network.toml").write_text(network(), encoding="utf-8")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigFault, match="--data-dir .*: Not a directory; name a folder"):
        run(tmp_path / "network.toml", data_dir=str(tmp_path / "file" / "data"), log_level="error")
