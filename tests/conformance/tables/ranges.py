"""Ranges from a stored response: single, with If-Range, impossible, unasked (RFC 9110 s14, RFC 9111 s3.3).

The parts of a multipart answer are compared in test_beyond_streams.py.
"""

from tests.conformance.rows import BODY, Row, Want, asked, headers, not_reused, reused
from tests.kit.origin import Canned

_LM = "Sun, 06 Nov 1994 08:49:37 GMT"
_FRESH = headers("max-age=3600", ETag='"a"', Last_Modified=_LM)


def _part(first: int, last: int) -> Want:
    part = BODY[first : last + 1]
    span = {"Content-Range": f"bytes {first}-{last}/10", "Content-Length": str(len(part)), "ETag": '"a"'}
    return Want(status=206, body=part, headers=span)


_WHOLE = Want(status=200, body=BODY, absent=["Content-Range"])
_UNSATISFIABLE = Want(status=416, headers={"Content-Range": "bytes */10"})
_WHOLE_OR_REFUSED = Want(status=(200, 416))

FROM_STORE: list[tuple[str, dict[str, str], Want]] = [
    ("first bytes", {"Range": "bytes=0-1"}, _part(0, 1)),
    ("one byte", {"Range": "bytes=9-9"}, _part(9, 9)),
    ("to the end", {"Range": "bytes=4-"}, _part(4, 9)),
    ("the last three", {"Range": "bytes=-3"}, _part(7, 9)),
    ("more than the last", {"Range": "bytes=-300"}, _part(0, 9)),
    ("beyond the end is cut", {"Range": "bytes=8-100"}, _part(8, 9)),
    ("a very large end is cut", {"Range": "bytes=8-99999999999999999999999999"}, _part(8, 9)),
    ("a unit in capitals is the same unit", {"Range": "BYTES=0-1"}, _part(0, 1)),
    ("nothing there", {"Range": "bytes=10-"}, _UNSATISFIABLE),
    ("nothing there with end", {"Range": "bytes=20-30"}, _UNSATISFIABLE),
    ("the last zero", {"Range": "bytes=-0"}, _UNSATISFIABLE),
    ("backwards is no range", {"Range": "bytes=5-2"}, _WHOLE),
    ("no digits is no range", {"Range": "bytes=-"}, _WHOLE),
    ("letters are no range", {"Range": "bytes=a-b"}, _WHOLE),
    ("a sign is no range", {"Range": "bytes=+1-2"}, _WHOLE),
    ("another unit is ignored", {"Range": "items=0-1"}, _WHOLE),
    ("no unit is ignored", {"Range": "0-1"}, _WHOLE),
    ("an overlap is not worth parts", {"Range": "bytes=0-5,3-8,1-9"}, _WHOLE_OR_REFUSED),
    ("more than eight parts are refused", {"Range": "bytes=" + ",".join(f"{i}-{i}" for i in range(9))}, _WHOLE_OR_REFUSED),
    ("a thousand parts are refused", {"Range": "bytes=" + ",".join(f"{i % 10}-" for i in range(1000))},
     _WHOLE_OR_REFUSED),
    ("If-Range equal", {"Range": "bytes=0-1", "If-Range": '"a"'}, _part(0, 1)),
    ("If-Range other", {"Range": "bytes=0-1", "If-Range": '"b"'}, _WHOLE),
    ("If-Range weak never matches", {"Range": "bytes=0-1", "If-Range": 'W/"a"'}, _WHOLE),
    ("If-Range date equal", {"Range": "bytes=0-1", "If-Range": _LM}, _part(0, 1)),
    ("If-Range date later does not match", {"Range": "bytes=0-1", "If-Range": "Sun, 06 Nov 1994 09:49:37 GMT"},
     _WHOLE),
    ("If-Range without Range", {"If-Range": '"b"'}, _WHOLE),
    ("If-Range other and nothing there", {"Range": "bytes=20-", "If-Range": '"b"'}, _WHOLE),
    ("If-None-Match comes before Range", {"Range": "bytes=0-1", "If-None-Match": '"a"'}, Want(status=304)),
    ("If-None-Match other leaves the range", {"Range": "bytes=0-1", "If-None-Match": '"b"'}, _part(0, 1)),
]  # fmt: skip

ROWS = [
    *(Row(f"range: {name}", "9110 s14.2", [asked(_FRESH), reused(request=fields, want=want), reused()])
      for name, fields, want in FROM_STORE),
    Row("range: a weak stored ETag does not match If-Range", "9110 s13.1.5", [
        asked(headers("max-age=3600", ETag='W/"a"')),
        reused(request={"Range": "bytes=0-1", "If-Range": 'W/"a"'}, want=Want(body=BODY)),
    ]),
    Row("range: a HEAD has none", "9110 s14.2", [
        asked(_FRESH), reused(method="HEAD", request={"Range": "bytes=0-1"}, want=Want(absent=["Content-Range"])),
    ]),
    Row("range: a hit on part carries the stored fields and Age", "9110 s15.3.7", [
        asked(headers("max-age=3600", ETag='"a"', X_A="1", Age="100")),
        reused(request={"Range": "bytes=0-1"},
               want=Want(status=206, body=b"01", headers={"X-A": "1", "Cache-Control": "max-age=3600"},
                         age=(100, 120))),
    ]),
    Row("range: of what is not stored the whole is fetched once", "9111 s3.3", [
        asked(_FRESH, request={"Range": "bytes=2-3"},
              want=Want(status=206, body=b"23", headers={"Content-Range": "bytes 2-3/10"}, origin_absent=["Range"])),
        reused(),
        reused(request={"Range": "bytes=0-1"}, want=_part(0, 1)),
    ]),
    Row("range: If-Range with another ETag on a miss gives the whole", "9110 s13.1.5", [
        asked(_FRESH, request={"Range": "bytes=2-3", "If-Range": '"b"'}, want=Want(body=BODY)), reused(),
    ]),
    Row("range: of a stale response it is validated first", "9111 s4.3", [
        asked(headers("max-age=60", ETag='"a"', Age="100")),
        asked(Canned(304, headers("max-age=3600", ETag='"a"')), request={"Range": "bytes=0-1"},
              want=Want(status=206, body=b"01", origin_headers={"If-None-Match": '"a"'}, origin_absent=["Range"])),
        reused(),
    ]),
    Row("range: of an error there is none", "9110 s14.2", [
        asked(Canned(404, headers("max-age=3600"), BODY)),
        reused(request={"Range": "bytes=0-1"}, want=Want(status=404, body=BODY)),
    ]),
    Row("range: a part nobody asked for is not stored as the whole", "9111 s3.3", [
        asked(Canned(206, headers("max-age=3600", Content_Range="bytes 0-9/20"), BODY), want=Want(asks=None, status=(206, 502))),
        not_reused(),
    ]),
]  # fmt: skip
