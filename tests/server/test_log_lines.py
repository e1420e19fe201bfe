"""A line of the access log can be read by any analyser, and forged by nobody."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.exchange import NO_VERDICT, Verdict
from edge.semantics.message import Fields
from edge.semantics.reasons import Because
from edge.server.log_lines import MAX_FIELD, MAX_LINE_BYTES, Ended, Moment, as_json, combined, escaped, former
from edge.settings.log_format import NAMES, BadFormat
from edge.wire.request import ParsedRequest
from tests.kit.exchanges import replied, requested

MOMENT = Moment.of(1_795_514_656)  # Tue, 24 Nov 2026 10:04:16 GMT
BROWSER = (b"Referer: https://a.example/", b"User-Agent: Mozilla/5.0 (X11)")

# Apache's own words: "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\""
COMBINED = re.compile(
    rb'(\S+) (\S+) (\S+) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) '
    rb'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"\n'
)


def ended(
    request: ParsedRequest | None = None, *, status: int = 200, verdict: Verdict | None = None
) -> Ended:
    reply = replied(status) if verdict is None else replied(status, verdict)
    return Ended(MOMENT, 7, "192.0.2.1", "192.0.2.9", request, reply, 512, 0.0123456, whole=True)


def with_fields(**values: bytes) -> ParsedRequest:
    """A request whose fields have values that the parser would refuse, too: the log does not rely on it."""
    request = requested()
    lines = tuple((name.replace("_", "-").encode(), value) for name, value in values.items())
    return replace(request, head=replace(request.head, fields=Fields(lines)))


def test_combined_is_apaches_form_and_nothing_else():
    assert combined(ended(requested(*BROWSER))) == (
        b'192.0.2.1 - - [24/Nov/2026:10:04:16 +0000] "GET /a?b=c HTTP/1.1" 200 512 '
        b'"https://a.example/" "Mozilla/5.0 (X11)"\n'
    )


def test_combined_has_a_dash_for_what_is_not_there():
    line = combined(replace(ended(None, status=408, verdict=NO_VERDICT), sent=0))
    assert line == b'192.0.2.1 - - [24/Nov/2026:10:04:16 +0000] "-" 408 - "-" "-"\n'


def test_json_says_everything():
    verdict = Verdict("shop", "uri-miss", Because.GATEWAY, stored=True, collapsed=True, detail='it said "no"')
    assert json.loads(as_json(ended(requested(*BROWSER, minor=0), status=502, verdict=verdict))) == {
        "time": "2026-11-24T10:04:16.007Z",
        "client": "192.0.2.1",
        "method": "GET",
        "scheme": "http",
        "host": "a.example",
        "target": "/a?b=c",
        "protocol": "HTTP/1.0",
        "status": 502,
        "bytes": 512,
        "seconds": 0.012346,
        "cache": "uri-miss",
        "because": "gateway",
        "stored": True,
        "collapsed": True,
        "site": "shop",
        "referer": "https://a.example/",
        "user_agent": "Mozilla/5.0 (X11)",
        "whole": True,
        "detail": 'it said "no"',
    }


def test_json_of_a_refused_head_has_nulls():
    said = json.loads(as_json(ended(None, status=400, verdict=NO_VERDICT)))
    assert {said[name] for name in ("method", "host", "target", "because", "referer", "user_agent")} == {None}


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("{client} {status}", b"192.0.2.1 200\n"),
        ("{peer}|{host}|{target}|{protocol}", b"192.0.2.9|a.example|/a?b=c|HTTP/1.1\n"),
        ("{time} {unix} {clock}", b"2026-11-24T10:04:16.007Z 1795514656.007 24/Nov/2026:10:04:16 +0000\n"),
        ("100% {{{cache}}} {because}", b"100% {hit} fresh\n"),
        ("{seconds} {bytes} {whole} {stored} {collapsed}", b"0.012346 512 true false false\n"),
        ('"{request}" {method} {scheme}', b'"GET /a?b=c HTTP/1.1" GET http\n'),
        ("{site} {detail} {referer} {user_agent}", b"shop - - -\n"),
    ],
)
def test_a_form_of_ones_own(form: str, line: bytes):
    assert former(form)(ended(requested())) == line


def test_every_name_has_a_value_for_a_refused_head_too():
    line = former(" ".join(f"{{{name}}}" for name in NAMES))(ended(None, status=400, verdict=NO_VERDICT))
    assert len(line.split(b" ")) == len(NAMES) + 1  # {clock} has a blank in it


def test_an_unknown_name_is_refused():
    with pytest.raises(BadFormat, match="client"):
        former("{clint}")


HOSTILE = st.binary(max_size=3 * MAX_FIELD) | st.text(
    alphabet='\n\r"\\\x00 -[]ab\x7f', max_size=3 * MAX_FIELD
).map(str.encode)


@given(referer=HOSTILE, agent=HOSTILE, target=HOSTILE, detail=HOSTILE)
def test_whatever_comes_stays_in_its_place_and_in_its_line(referer, agent, target, detail):
    request = with_fields(referer=referer, user_agent=agent)
    request = replace(request, line=b"GET %b HTTP/1.1" % target, head=replace(request.head, target=target))
    told = ended(request, verdict=Verdict("s", "-", detail=detail.decode("latin-1")))
    line = combined(told)
    matched = COMBINED.fullmatch(line)
    assert matched is not None
    assert matched[1] == b"192.0.2.1"
    assert matched[6] == b"200"
    for each in (
        line,
        as_json(told),
        former("{client} {request} {target} {referer} {user_agent} {detail}")(told),
    ):
        assert each.endswith(b"\n")
        assert all(0x20 <= byte < 0x7F for byte in each[:-1])
        assert len(each) <= MAX_LINE_BYTES
    assert json.loads(as_json(told))["status"] == 200


@given(HOSTILE)
def test_what_fits_can_be_read_back(value: bytes):
    said = escaped(value, 4 * len(value) + 1)
    if value:
        assert said.decode("ascii").encode().decode("unicode_escape").encode("latin-1") == value
    else:
        assert said == b"-"


def test_what_is_too_long_is_cut_and_says_so():
    assert escaped(b"x" * 5_000) == b"x" * MAX_FIELD + b"..."
    assert escaped(b"x" * (MAX_FIELD - 1) + b'"') == b"x" * (MAX_FIELD - 1) + b"..."  # never half an escape


def test_a_line_of_ones_own_form_is_never_longer_than_a_pipe_takes_whole():
    line = former("{request}" * 4)(ended(requested(target=b"/" + b"x" * 1_700)))
    assert len(line) == MAX_LINE_BYTES
    assert line.endswith(b"\n")
