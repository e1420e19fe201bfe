"""`perigee run` refuses what it cannot use before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigFault
from edge.settings.node import Overrides
from edge.settings.problems import SettingsFault
from tools.run import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"log_level": "loud"}, "--log-level: 'loud' is no level; allowed: debug, info, warning, error"),
        ({"log_format": "xml"}, "--log-format: 'xml' is no form; allowed: text, json"),
    ],
)
def test_a_word_that_is_not_known_is_said_with_those_that_are(tmp_path: Path, words, said: str):
    overrides = Overrides(origin="http://127.0.0.1:1", data_dir=str(tmp_path))
    with pytest.raises(ConfigFault) as fault:
        run(None, overrides, **words)
    assert fault.value.detail == f"command line: {said}"


def test_settings_that_cannot_be_used_are_raised_with_every_problem(tmp_path: Path):
    overrides = Overrides(origin="gopher://a", workers="0", data_dir=str(tmp_path))
    with pytest.raises(SettingsFault) as fault:
        run(None, overrides, log_level="INFO", log_format="Json")
    assert len(fault.value.problems) == 2
