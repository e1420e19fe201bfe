"""A format of the access log is taken apart into texts and known names, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.log_format import NAMES, BadFormat, pieces


@pytest.mark.parametrize(
    "form, found",
    [
        ("", (("", ""),)),
        ("text", (("text", ""),)),
        ("{status}", (("", "status"), ("", ""))),
        ("a {status} b {host}c", (("a ", "status"), (" b ", "host"), ("c", ""))),
        ("{{{status}}}", (("{", "status"), ("}", ""))),
        ("{{status}}", (("{status}", ""),)),
    ],
)
def test_a_format_is_texts_and_names(form: str, found: tuple[tuple[str, str], ...]):
    assert pieces(form) == found


@pytest.mark.parametrize(
    "form, said",
    [
        ("{", "the brace at character 1 has no partner"),
        ("a}", "the brace at character 2 has no partner"),
        ("{Status}", "the brace at character 1 has no partner"),
        ("{}", "{} is not known; there are time,"),
        ("{nonsense}", "{nonsense} is not known; there are time,"),
    ],
)
def test_what_is_no_format_says_where(form: str, said: str):
    with pytest.raises(BadFormat) as fault:
        pieces(form)
    assert str(fault.value).startswith(said)


@given(st.lists(st.sampled_from(sorted(NAMES)) | st.text("ab {}", max_size=5)))
def test_what_is_written_apart_reads_back(parts: list[str]):
    form = "".join(
        f"{{{part}}}" if part in NAMES else part.replace("{", "{{").replace("}", "}}") for part in parts
    )
    found = pieces(form)
    assert [name for _, name in found if name] == [part for part in parts if part in NAMES]
    assert "".join(text for text, _ in found) == "".join(part for part in parts if part not in NAMES)
